"""A tick: what one group of queues did since the tick before, as it was measured."""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

TICK_SECONDS: Final = 5.0
HOUR_SECONDS: Final = 3_600.0
HOUR_TICKS: Final = 720
# A clock may be ahead of the one that measured by this much.
_AHEAD_SECONDS: Final = 1.0
# What came in a moment says little: it is spread over a second at least.
_SECONDS_MIN: Final = 1.0
# Nothing we measure is larger; sums and products of such stay finite.
_VALUE_MAX: Final = 1e12


class Tick(NamedTuple):
    """One measurement; a tick that could not be measured does not exist."""

    at: float  # seconds since the epoch
    seconds: float  # since the tick before
    arrived: float  # jobs accepted in them
    finished: float
    busy: float  # seconds workers spent on the finished ones
    ready: float  # jobs that could begin now
    running: float
    oldest: float  # seconds the oldest ready job has waited

    @property
    def rate(self) -> float:
        """Return arrivals a second."""
        return self.arrived / max(_SECONDS_MIN, self.seconds)


class Host(NamedTuple):
    """What the host was doing at a tick, in percent."""

    at: float
    cpu: float
    memory: float
    disk: float


_Measured = TypeVar("_Measured", Tick, Host)


def usable(
    measured: Sequence[_Measured], *, since: float, now: float
) -> list[_Measured]:
    """Return the measurements of a span of time that can be true, oldest first."""
    return [
        one
        for one in measured
        if since < one.at <= now + _AHEAD_SECONDS
        and all(0 <= value <= _VALUE_MAX for value in one)
    ]


def arrival_rate(ticks: Sequence[Tick]) -> float:
    """Return arrivals a second over all of the ticks."""
    seconds = sum(tick.seconds for tick in ticks)
    return sum(tick.arrived for tick in ticks) / max(_SECONDS_MIN, seconds)


def service_seconds(ticks: Sequence[Tick], *, jobs_min: float) -> float | None:
    """Return how long a worker is busy with one job, measured on enough of them."""
    finished = sum(tick.finished for tick in ticks)
    if finished < jobs_min:
        return None
    return sum(tick.busy for tick in ticks) / finished or None
