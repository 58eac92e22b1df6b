"""`coin controller`: how the System Controller decides, tried on recorded load."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from cli import controller_table, database
from cli.controller_load import Load, stored
from cli.durations import stretch
from cli.endpoints import data_option
from controller import traces
from controller.bounds import bounds
from controller.decision import Group
from controller.outcome import Outcome
from controller.replay import POLICIES, replay
from controller.traces import BadTrace, Trace
from domain.settings import Settings
from domain.workers import GROUPS, LEDGER

# More of them would take minutes for each policy.
_JOBS_MAX: Final = 5_000_000
_START_SECONDS: Final = 1.0


@click.group()
def controller() -> None:
    """See how the number of workers is decided, and overrule it."""


_group_option = click.option(
    "--group",
    "name",
    type=click.Choice(list(GROUPS)),
    default=LEDGER.name,
    show_default=True,
    help="Whose load it is; what is not given is as this group has it.",
)


def _last_option(*, required: bool) -> Callable[[Any], Any]:
    return click.option(
        "--last",
        type=stretch,
        metavar="TIME",
        required=required,
        help="What was measured for so long, such as 90m, 24h or 7d.",
    )


@controller.command(name="replay")
@click.option(
    "--trace",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with the columns seconds, arrivals and service_seconds.",
)
@_last_option(required=False)
@_group_option
@click.option(
    "--policy",
    "policies",
    type=click.Choice(list(POLICIES)),
    multiple=True,
    default=list(POLICIES),
    help="Which to replay; all, unless named.",
)
@click.option("--least", type=click.IntRange(1), help="The fewest workers there are.")
@click.option("--most", type=click.IntRange(1), help="The most workers there are.")
@click.option("--target", type=click.FloatRange(0.1), help="Seconds a job may wait.")
@click.option(
    "--start",
    type=click.FloatRange(0.0),
    default=_START_SECONDS,
    show_default=True,
    help="Seconds until a new worker works; 30 for a pod, say.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--png",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Draw it into this file too.",
)
@data_option
def replay_load(  # noqa: PLR0913  one for each option
    *,
    path: Path | None,
    last: timedelta | None,
    name: str,
    policies: Sequence[str],
    seed: int,
    png: Path | None,
    data: Path,
    **asked: Any,
) -> None:
    """Play recorded load against policies, and compare what they made of it."""
    draw = _drawing(png)
    if path is not None and last is None:
        group, trace = _group(name, "", **asked), _read(path)
    elif last is not None and path is None:
        settings = database.settings(data)
        group = _group(name, settings.controller_bounds, **asked)
        ticks = _stored(settings, name, last).ticks
        trace = traces.trace_of(ticks, service_seconds=group.service_seconds)
    else:
        raise click.UsageError("give one of --trace and --last")
    if traces.jobs(trace) > _JOBS_MAX:
        raise click.ClickException(
            f"these are {traces.jobs(trace):,.0f} jobs, and at most {_JOBS_MAX:,} are "
            "replayed; choose less of it"
        )
    outcomes = {one: replay(trace, one, group, seed=seed) for one in policies}
    for line in controller_table.lines(outcomes, group.target_seconds):
        click.echo(line)
    draw(outcomes, group.target_seconds)


@controller.command()
@_last_option(required=True)
@_group_option
@click.argument("path", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@data_option
def export(*, last: timedelta, name: str, path: Path, data: Path) -> None:
    """Write what was measured to a file that `replay --trace` reads."""
    load = _stored(database.settings(data), name, last)
    traces.write(path, load.ticks, service_seconds=GROUPS[name].service_seconds)


def _stored(settings: Settings, name: str, last: timedelta) -> Load:
    with database.transaction(settings) as session:
        load = stored(session, GROUPS[name], last, now=datetime.now(UTC))
    for note in load.notes():
        click.echo(note, err=True)
    return load


def _read(path: Path) -> Trace:
    try:
        return traces.read(path)
    except BadTrace as fault:
        raise click.ClickException(str(fault)) from None


def _group(  # noqa: PLR0913  what may be asked for, and whose the rest is
    name: str,
    setting: str,
    *,
    least: int | None,
    most: int | None,
    target: float | None,
    start: float,
) -> Group:
    workers, limits = GROUPS[name], bounds(setting)[name]
    if least and most and least > most:
        raise click.UsageError(f"--least {least} is more than --most {most}")
    least = least or min(limits.least, most or limits.least)
    return Group(
        name=name,
        target_seconds=target or workers.target_seconds,
        least=least,
        most=most or max(limits.most, least),
        start_seconds=start,
        service_seconds=workers.service_seconds,
    )


def _drawing(png: Path | None) -> Callable[[Mapping[str, Outcome], float], None]:
    """Return what draws into the file, before anybody has waited for a replay."""
    if png is None:
        return lambda _outcomes, _target: None
    try:
        # Only those who draw need it.
        from cli.controller_chart import draw  # noqa: PLC0415
    except ImportError:
        raise click.ClickException(
            "--png draws with Matplotlib: pip install 'matplotlib>=3.10'"
        ) from None
    return partial(draw, png)
