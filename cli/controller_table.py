"""Replays as lines for a terminal: figures of each policy, and its size over time."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from controller.outcome import Outcome
from controller.tick import TICK_SECONDS

_TURNS_SECONDS: Final = 600
_BARS: Final = "▁▂▃▄▅▆▇█"
_CHART_COLUMNS: Final = 60
_HEAD: Final = (
    *("policy", "wait p50", "p95", "p99", "late"),
    *("paid", "ideal", "cost", "actions", "turns"),
)
_LEGEND: Final = (
    "late: longer than {target:g} s; paid and ideal: seconds of workers and of work; "
    "turns: most in 10 min"
)


def lines(outcomes: Mapping[str, Outcome], target_seconds: float) -> Iterator[str]:
    """Return the table, two lines a policy, and what its words mean."""
    yield _row(_HEAD)
    for name, outcome in outcomes.items():
        yield _row([name, *_figures(outcome, target_seconds)])
        yield f"  {_chart(outcome)}"
    yield _LEGEND.format(target=target_seconds)


def _figures(outcome: Outcome, target_seconds: float) -> list[str]:
    waits = [f"{outcome.wait(share):.2f} s" for share in (0.5, 0.95, 0.99)]
    return [
        *waits,
        f"{outcome.late(target_seconds):.2%}",
        f"{outcome.worker_seconds:,.0f}",
        f"{outcome.work_seconds:,.0f}",
        f"{outcome.cost:.2f}",
        str(outcome.actions),
        str(outcome.turns_within(_TURNS_SECONDS)),
    ]


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    return f"{first:<8}" + "".join(f"{cell:>10}" for cell in others)


def _chart(outcome: Outcome) -> str:
    """Draw the most workers of each moment, and say how many the tallest bar is."""
    end = outcome.moments[-1].at if outcome.moments else TICK_SECONDS
    steps = [*outcome.sizes, (end, 0)]
    tallest = max(size for _, size in outcome.sizes)
    bars = []
    for column in range(_CHART_COLUMNS):
        begin, until = (end * edge / _CHART_COLUMNS for edge in (column, column + 1))
        size = max(
            size
            for (since, size), (changed, _) in pairwise(steps)
            if since < until and changed > begin
        )
        bars.append(_BARS[(len(_BARS) - 1) * size // max(1, tallest)])
    return f"{''.join(bars)}  {tallest} workers at most"
