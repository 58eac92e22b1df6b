"""Forecasts of arrivals: a trend over the next seconds, a pattern over the hour.

Both only ever raise what is provided for: a forecast that proves worse than saying
"as now" is not used.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controller.tick import HOUR_SECONDS, Tick, usable

# Holt's two-parameter smoothing (1957): weight of the newest level and of its change.
_LEVEL: Final = 0.4
_CHANGE: Final = 0.1

BIN_SECONDS: Final = 15.0
_PERIOD_BINS_MIN: Final = 4
_CORRELATED: Final = 0.6
# Of the error of saying "as now", what the pattern may have at most.
_ERROR_SHARE_MAX: Final = 0.8


def trend(rates: Sequence[float], *, ahead: float) -> float:
    """Return the rate `ahead` steps after the last by Holt's linear smoothing."""
    if not rates:
        return 0.0
    level, change = rates[0], 0.0
    for rate in rates[1:]:
        before = level
        level = _LEVEL * rate + (1 - _LEVEL) * (level + change)
        change = _CHANGE * (level - before) + (1 - _CHANGE) * change
    return max(0.0, level + ahead * change)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Rates that recur: one period of them, of which the last bin ended at `until`."""

    until: float
    rates: tuple[float, ...]

    @property
    def period(self) -> float:
        """Return the seconds after which it recurs."""
        return len(self.rates) * BIN_SECONDS

    def rate(self, begin: float, end: float) -> float:
        """Return the highest rate expected between two times after `until`."""
        first = math.floor((begin - self.until) / BIN_SECONDS)
        last = math.ceil((end - self.until) / BIN_SECONDS)
        return max(
            self.rates[number % len(self.rates)] for number in range(first, last)
        )


def find_pattern(ticks: Sequence[Tick], *, ahead: float) -> Pattern | None:
    """Return what recurs in these ticks, if foretelling by it would have been better.

    It is judged on the last period: `ahead` seconds before each bin, would the same
    bin one period earlier have been nearer to the truth than the rate of that moment?
    """
    if not ticks:
        return None
    end = ticks[-1].at
    rates = _binned(usable(ticks, since=end - HOUR_SECONDS, now=end))
    lag = _period(rates)
    if lag is None:
        return None
    steps = max(1, math.ceil(ahead / BIN_SECONDS))
    judged = range(len(rates) - lag, len(rates))
    error = sum(abs(rates[number] - rates[number - lag]) for number in judged)
    as_now = sum(abs(rates[number] - rates[number - steps]) for number in judged)
    if error >= _ERROR_SHARE_MAX * as_now:
        return None
    return Pattern(ticks[-1].at, tuple(rates[-lag:]))


def _binned(ticks: Sequence[Tick]) -> list[float]:
    """Return mean rates of equal bins that end with the last tick, oldest first.

    A bin in which nothing was measured has the rate of the one before it.
    """
    if not ticks:
        return []
    end = ticks[-1].at
    count = math.ceil((end - ticks[0].at) / BIN_SECONDS)
    arrived, seconds = [0.0] * count, [0.0] * count
    for tick in ticks:
        number = count - 1 - math.floor((end - tick.at) / BIN_SECONDS)
        if 0 <= number < count:
            arrived[number] += tick.arrived
            seconds[number] += tick.seconds
    rates: list[float] = []
    for number in range(count):
        known = seconds[number] > 0
        before = rates[-1] if rates else 0.0
        rates.append(arrived[number] / seconds[number] if known else before)
    return rates


def _period(rates: Sequence[float]) -> int | None:
    """Return the lag in bins at which the rates are most like themselves, if any is.

    At most half of them: what has been seen once does not recur.
    """
    mean = sum(rates) / len(rates) if rates else 0.0
    around = [rate - mean for rate in rates]
    best, found = _CORRELATED, None
    likeness = [
        (_correlation(around[lag:], around[:-lag]), lag)
        for lag in range(_PERIOD_BINS_MIN, len(rates) // 2 + 1)
    ]
    # A peak: next to a slope, every short lag is like itself.
    for (before, _), (this, lag), (after, _) in zip(
        likeness, likeness[1:], likeness[2:], strict=False
    ):
        if this > best and this >= before and this >= after:
            best, found = this, lag
    return found


def _correlation(some: Sequence[float], others: Sequence[float]) -> float:
    product = sum(one * other for one, other in zip(some, others, strict=True))
    size = math.sqrt(sum(x * x for x in some) * sum(x * x for x in others))
    return product / size if size else 0.0
