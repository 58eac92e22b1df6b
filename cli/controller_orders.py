"""`coin controller set`, `hold` and `release`: what operators want counts first."""

import os
import pwd
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from sqlalchemy.orm import Session

from cli import database
from cli.controller_state import silence
from cli.durations import stretch
from cli.endpoints import data_option
from controller.bounds import bounds
from domain import scaling
from domain.workers import GROUPS

SIZE_MAX: Final = 100
_SIZE: Final = re.compile(r"([a-z_]+)=([0-9]{1,4})")
# In these modes what is decided is only recorded.
_ONLY_RECORDED: Final = ("dry_run", "observing")

_REASON_MAX: Final = 200

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _reason(text: str) -> str:
    """Return a reason on one line, or refuse a story."""
    if len(text) > _REASON_MAX:
        raise click.BadParameter(f"more than {_REASON_MAX} characters")
    return " ".join(text.split())


def _given(command: _Command) -> _Command:
    """Add what every order has."""
    for option in (
        data_option,
        click.option(
            "--reason",
            type=_reason,
            default="",
            metavar="TEXT",
            help="Why; it is kept with the order.",
        ),
        click.option(
            "--for",
            "length",
            type=stretch,
            metavar="TIME",
            help="How long, such as 90s, 30m, 2h or 1d; until released, unless given.",
        ),
    ):
        command = option(command)
    return command


_groups: Final = click.argument("groups", nargs=-1, type=click.Choice(list(GROUPS)))


@click.command(name="set")
@click.argument("sizes", nargs=-1, required=True, metavar="GROUP=SIZE...")
@_given
def set_sizes(
    sizes: Sequence[str], length: timedelta | None, reason: str, data: Path
) -> None:
    """Order sizes, such as ledger=4, whatever the policy wants.

    For the time given, or until `coin controller release`.
    """
    _order(_sizes(sizes), length=length, reason=reason, data=data)


@click.command()
@_groups
@_given
def hold(
    groups: Sequence[str], length: timedelta | None, reason: str, data: Path
) -> None:
    """Leave groups as they are, whatever the policy wants.

    All unless named; for the time given, or until `coin controller release`.
    """
    unchanged = dict.fromkeys(groups or GROUPS)
    _order(unchanged, length=length, reason=reason, data=data)


@click.command()
@_groups
@data_option
def release(groups: Sequence[str], data: Path) -> None:
    """Let the policy decide again on groups, all unless named."""
    now = datetime.now(UTC)
    with database.transaction(database.settings(data)) as session:
        for group in groups or GROUPS:
            ended = scaling.withdraw(session, group, now=now)
            what = "the policy decides again" if ended else "had no order"
            click.echo(f"{group}: {what}")


def _sizes(written: Sequence[str]) -> dict[str, int | None]:
    """Return the size of each group, or refuse what is none."""
    found: dict[str, int | None] = {}
    for text in written:
        match = _SIZE.fullmatch(text)
        if not match:
            raise click.UsageError(f"{text!r} is not such as ledger=4")
        group, size = match[1], int(match[2])
        if group not in GROUPS:
            known = ", ".join(GROUPS)
            raise click.UsageError(f"there is no group {group!r}; there are: {known}")
        if not 1 <= size <= SIZE_MAX:
            raise click.UsageError(f"{text}: a size is between 1 and {SIZE_MAX}")
        if group in found:
            raise click.UsageError(f"{group} is given two sizes")
        found[group] = size
    return found


def _order(
    sizes: Mapping[str, int | None],
    *,
    length: timedelta | None,
    reason: str,
    data: Path,
) -> None:
    settings = database.settings(data)
    now = datetime.now(UTC)
    until = now + length if length else None
    with database.transaction(settings) as session:
        for group, size in sizes.items():
            scaling.order(
                session,
                group,
                size,
                until=until,
                given_by=_operator(),
                reason=reason,
                now=now,
            )
        warnings = [
            *_beyond(sizes, settings.controller_bounds),
            *_nobody_obeys(session, sizes, now),
        ]
    end = f"{until:%Y-%m-%d %H:%M:%S} UTC" if until else "released"
    for group, size in sizes.items():
        what = "nothing changes" if size is None else f"{size} workers"
        click.echo(f"{group}: {what} until {end}")
    for warning in warnings:
        click.echo(f"{click.style('warning', fg='yellow')}: {warning}", err=True)


def _beyond(sizes: Mapping[str, int | None], setting: str) -> Iterator[str]:
    """Yield each size that the policy could not have chosen."""
    allowed = bounds(setting)
    for group, size in sizes.items():
        least, most = allowed[group]
        if size is not None and not least <= size <= most:
            yield f"{group}={size} is outside its bounds, {least} to {most}, and counts"


def _nobody_obeys(
    session: Session, sizes: Mapping[str, int | None], now: datetime
) -> list[str]:
    """Return why the orders may change nothing."""
    newest = {
        group: action
        for group in sizes
        for action in scaling.history(session, count=1, worker_group=group)
    }
    if silent := silence(newest.values(), now):
        return [f"{silent}; nobody obeys until one runs"]
    return [
        f"{group} is in mode {action.mode}: nobody is told a size"
        for group, action in newest.items()
        if action.mode in _ONLY_RECORDED
    ]


def _operator() -> str:
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in a container that has no such account
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"
