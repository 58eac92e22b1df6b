"""`coin worker`: run jobs, woken by the broker or by a look at the database."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

import click
from sqlalchemy.exc import SQLAlchemyError

from cli import database
from cli.endpoints import data_option
from domain.schema import DatabaseDiffers

CONCURRENCY: Final = 2


@click.command()
@click.option("--poll", is_flag=True, help="Without a broker: ask the database.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=CONCURRENCY,
    show_default=True,
    help="Processes of the Celery worker.",
)
@data_option
def worker(*, poll: bool, concurrency: int, data: Path) -> None:
    """Run jobs of every queue until SIGTERM or Ctrl-C."""
    database.settings(data)  # faults are for people, before they become a crash
    if poll:
        _poll()
    else:
        command = celery_worker(concurrency=concurrency)
        os.execv(command[0], command)  # noqa: S606  becomes the worker


def celery_worker(*, concurrency: int = CONCURRENCY) -> list[str]:
    """Return the command of a Celery worker that serves every queue."""
    # Neither is needed, and each floods a broker of many workers with messages.
    without = ("--without-mingle", "--without-gossip")
    return tasks_command("worker", f"--concurrency={concurrency}", *without)


def _poll() -> None:
    import tasks  # noqa: PLC0415  reads the environment, complete only now

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        tasks.start()
    except (DatabaseDiffers, SQLAlchemyError) as error:
        raise click.ClickException(str(error)) from None
    tasks.poll(stop)


def tasks_command(*arguments: str) -> list[str]:
    """Return a command of Celery's for this environment's own Python."""
    return [sys.executable, "-m", "tasks", *arguments]
