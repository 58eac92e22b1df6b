"""Replays as a picture: what arrived, how many worked, and how long jobs waited."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from cli.chart_style import COLOURS, GREY, STYLE
from controller.outcome import Outcome

_SIZE: Final = (9.0, 7.0)
_DOTS_PER_INCH: Final = 120
_HOUR: Final = 3_600.0


def draw(path: Path, outcomes: Mapping[str, Outcome], target_seconds: float) -> None:
    """Write a PNG with every policy in its own colour."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        arrivals, workers, waits = figure.subplots(3, sharex=True)
        _draw_arrivals(arrivals, next(iter(outcomes.values())))
        for (name, outcome), colour in zip(
            outcomes.items(), cycle(COLOURS), strict=False
        ):
            _draw_workers(workers, name, outcome, colour)
            _draw_waits(waits, name, outcome, colour)
        waits.axhline(target_seconds, color=GREY, linestyle="--", label="target")
        # Linear up to a second: both a burst and what it became are to be seen.
        waits.set_yscale("symlog", linthresh=1)
        waits.yaxis.set_major_formatter(ScalarFormatter())
        waits.set_xlabel("hours")
        for axes in (arrivals, workers, waits):
            axes.grid()
            axes.set_ylim(bottom=0)
        for axes in (workers, waits):
            axes.legend()
        figure.savefig(path, format="png", dpi=_DOTS_PER_INCH, facecolor="white")


def _hours(outcome: Outcome) -> list[float]:
    return [moment.at / _HOUR for moment in outcome.moments]


def _draw_arrivals(axes: Axes, outcome: Outcome) -> None:
    rates = [moment.rate for moment in outcome.moments]
    axes.plot(_hours(outcome), rates, color=GREY, linewidth=1)
    axes.set_ylabel("arrivals a second")


def _draw_workers(axes: Axes, name: str, outcome: Outcome, colour: str) -> None:
    hours = _hours(outcome)
    wanted = [moment.wanted for moment in outcome.moments]
    there = [moment.there for moment in outcome.moments]
    axes.step(hours, wanted, where="post", color=colour, label=f"{name}, wanted")
    axes.fill_between(
        hours, there, step="post", color=colour, alpha=0.2, label=f"{name}, there"
    )
    axes.set_ylabel("workers")


def _draw_waits(axes: Axes, name: str, outcome: Outcome, colour: str) -> None:
    longest = [moment.wait for moment in outcome.moments]
    axes.plot(_hours(outcome), longest, color=colour, linewidth=1, label=name)
    axes.set_ylabel("longest wait, s")
