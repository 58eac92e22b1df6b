"""Load as it was stored: the ticks of a group's last hours, and what is missing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import click
from sqlalchemy.orm import Session

from cli.durations import told
from controller.tick import TICK_SECONDS, Tick
from controller.ticks import ticks_of
from domain import workload
from domain.workers import WorkerGroup

TICKS_MIN: Final = 12
# A clock ticks unevenly; and the newest sample may be about to come.
_UNEVEN_SECONDS: Final = 1.0
_NEWEST_SECONDS: Final = 30.0
_ROLLED_SECONDS: Final = 60.0


class Gap(NamedTuple):
    """Seconds since the epoch between which nothing was measured."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """Return how long it is."""
        return self.end - self.begin


class Load(NamedTuple):
    """What was measured of a group, and when nothing was."""

    ticks: Sequence[Tick]
    gaps: Sequence[Gap]

    def notes(self) -> list[str]:
        """Return what whoever reads on should know."""
        first, last = _begin(self.ticks[0]), self.ticks[-1].at
        found = [f"measured {len(self.ticks):,} times from {_at(first)} to {_at(last)}"]
        if self.gaps:
            longest = max(self.gaps, key=lambda gap: gap.seconds)
            missing = told(sum(gap.seconds for gap in self.gaps))
            found.append(
                f"not measured: {missing} in {len(self.gaps)} gaps, the longest from "
                f"{_at(longest.begin)} to {_at(longest.end)}; they are left out"
            )
        if any(tick.seconds > _ROLLED_SECONDS for tick in self.ticks):
            found.append("what is over a day old is known by means of five minutes")
        return found


def stored(
    session: Session, group: WorkerGroup, last: timedelta, *, now: datetime
) -> Load:
    """Return what is stored of so long, or end the command when it is too little."""
    since = now - last
    ticks = ticks_of(workload.since(session, since), group)
    if len(ticks) < TICKS_MIN:
        raise click.ClickException(
            f"only {len(ticks)} measurements are stored of that time, and "
            f"{TICKS_MIN} are needed, a minute of them; a running controller "
            f"(python -m controller) makes one every {TICK_SECONDS:.0f} seconds"
        )
    return Load(ticks, list(_gaps(ticks, since.timestamp(), now.timestamp())))


def _gaps(ticks: Sequence[Tick], since: float, now: float) -> list[Gap]:
    ends = [since, *(tick.at for tick in ticks)]
    begins = [*map(_begin, ticks), now]
    *before, newest = [Gap(*edges) for edges in zip(ends, begins, strict=True)]
    gaps = [gap for gap in before if gap.seconds > _UNEVEN_SECONDS]
    return [*gaps, newest] if newest.seconds > _NEWEST_SECONDS else gaps


def _begin(tick: Tick) -> float:
    return tick.at - tick.seconds


def _at(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
