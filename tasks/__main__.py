"""`python -m tasks worker`, `beat` or `pool`: Celery's own commands, or many of them.

Celery's program also loads every plugin installed, Flower and a terminal among them:
twenty megabytes in each process.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker
from sqlalchemy.exc import SQLAlchemyError

import celeryconfig
from domain.schema import DatabaseDiffers
from domain.settings import InvalidSettings
from domain.workers import GROUPS
from tasks import app, start
from tasks._drain import settings
from tasks._pool import SIZE_MAX, Pool, Programs, Refused

_PATH: Final = click.Path(path_type=Path)


@click.group()
@click.pass_context
def main(context: click.Context) -> None:
    """Run Celery without banners; events are logged all the same."""
    context.obj = CLIContext(app=app, no_color=True, workdir=None, quiet=True)
    # RabbitMQ turns away a second worker of the same name: a host may run several, and
    # what a killed one held is not let go of at once.
    name = f"worker-{secrets.token_hex(4)}@%h"
    context.default_map = {worker.name: {"hostname": name}}


def _sizes(
    _context: click.Context, _option: click.Parameter, told: Sequence[str]
) -> dict[str, int]:
    """Return every group's size: the least it may have, unless told."""
    sizes = {group.name: group.least for group in GROUPS.values()}
    for one in told:
        name, _, size = one.partition("=")
        if name not in sizes or not size.isdecimal() or int(size) > SIZE_MAX:
            raise click.BadParameter(
                f"{one}: say such as ledger=2; groups are {', '.join(sizes)}, "
                f"and {SIZE_MAX} are most"
            )
        sizes[name] = int(size)
    return sizes


@main.command()
@click.option("--socket", type=_PATH, help="Where it is told; WORKERS_SOCKET.")
@click.option("--group", "sizes", multiple=True, callback=_sizes, help="ledger=2, say.")
@click.option("--beat", "schedule", type=_PATH, help="Run beat too, on this file.")
@click.option("--poll", is_flag=True, help="Without a broker: ask the database.")
@click.option("--task-events", is_flag=True, help="Tell Flower what is done.")
@click.option("--nice", default=0, help="How much others come before its workers.")
def pool(  # noqa: PLR0913  one for each option
    *,
    socket: Path | None,
    sizes: dict[str, int],
    schedule: Path | None,
    poll: bool,
    task_events: bool,
    nice: int,
) -> None:
    """Keep as many workers of each group as the socket is told."""
    if not poll and celeryconfig.broker_url is None:
        raise click.UsageError("set REDIS_URL or RABBITMQ_URL, or say --poll")
    programs = Programs(main, events=task_events, nice=nice)
    run = programs.poller if poll else programs.worker
    sized = {name: (run(GROUPS[name]), size) for name, size in sizes.items()}
    others = {"beat": programs.beat(schedule)} if schedule else {}
    try:
        start()
        made = Pool(socket or Path(settings().workers_socket), sized, others)
    except (InvalidSettings, DatabaseDiffers, SQLAlchemyError, Refused) as error:
        raise click.ClickException(str(error)) from None
    made.run()


main.add_command(worker)
main.add_command(beat)

if __name__ == "__main__":
    main()
