"""`coin controller`: how the System Controller decides, tried on recorded load."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import click

from controller import traces
from controller.decision import Group
from controller.outcome import Outcome
from controller.replay import POLICIES, replay
from controller.traces import BadTrace

_BARS: Final = "▁▂▃▄▅▆▇█"
_CHART_COLUMNS: Final = 60
_TURNS_SECONDS: Final = 600
_HEAD: Final = ("policy", "wait p50", "p95", "p99", "late", "cost", "actions", "turns")


@click.group()
def controller() -> None:
    """See how the number of workers is decided."""


@controller.command(name="replay")
@click.option(
    "--trace",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="CSV with the columns seconds, arrivals and service_seconds.",
)
@click.option(
    "--policy",
    "policies",
    type=click.Choice(list(POLICIES)),
    multiple=True,
    default=list(POLICIES),
    help="Which to replay; all, unless named.",
)
@click.option("--least", type=click.IntRange(1), default=1, show_default=True)
@click.option("--most", type=click.IntRange(1), default=10, show_default=True)
@click.option(
    "--target",
    type=click.FloatRange(0.1),
    default=2.0,
    show_default=True,
    help="Seconds a job may wait.",
)
@click.option(
    "--start",
    type=click.FloatRange(0.0),
    default=1.0,
    show_default=True,
    help="Seconds until a new worker works; 30 for a pod, say.",
)
@click.option("--seed", type=int, default=1, show_default=True)
def replay_trace(  # noqa: PLR0913, PLR0917  one for each option
    path: Path,
    policies: Sequence[str],
    least: int,
    most: int,
    target: float,
    start: float,
    seed: int,
) -> None:
    """Play recorded load against policies, and compare what they made of it."""
    try:
        trace = traces.read(path)
    except BadTrace as fault:
        raise click.ClickException(str(fault)) from None
    group = Group(
        name=path.stem,
        target_seconds=target,
        least=least,
        most=max(least, most),
        start_seconds=start,
    )
    click.echo(_row(_HEAD))
    for name in policies:
        outcome = replay(trace, name, group, seed=seed)
        click.echo(_row([name, *_figures(outcome, target)]))
        click.echo(f"  {_chart(outcome, sum(span.seconds for span in trace))}")


def _figures(outcome: Outcome, target: float) -> list[str]:
    waits = [f"{outcome.wait(share):.2f} s" for share in (0.5, 0.95, 0.99)]
    return [
        *waits,
        f"{outcome.late(target):.2%}",
        f"{outcome.cost:.2f}",
        str(outcome.actions),
        str(outcome.turns_within(_TURNS_SECONDS)),
    ]


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    return f"{first:<10}" + "".join(f"{cell:>10}" for cell in others)


def _chart(outcome: Outcome, seconds: float) -> str:
    """Draw the most workers of each moment, and say how many the tallest bar is."""
    steps = [*outcome.sizes, (seconds, 0)]
    tallest = max(size for _, size in outcome.sizes)
    bars = []
    for column in range(_CHART_COLUMNS):
        begin, end = (seconds * edge / _CHART_COLUMNS for edge in (column, column + 1))
        size = max(
            size
            for (since, size), (until, _) in pairwise(steps)
            if since < end and until > begin
        )
        bars.append(_BARS[(len(_BARS) - 1) * size // max(1, tallest)])
    return f"{''.join(bars)}  {tallest} workers at most"
