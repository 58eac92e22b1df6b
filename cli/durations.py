"""Stretches of time: as operators give them, and as they are told."""

import re
from datetime import datetime, timedelta
from typing import Final

import click

LONGEST: Final = timedelta(days=30)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_WRITTEN: Final = re.compile(r"([1-9][0-9]{0,6})([smhd])")

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
# Each unit is used until so many of it are reached.
_FEW: Final = 100


def stretch(text: str) -> timedelta:
    """Return a stretch such as 90s, 30m, 2h or 1d, or refuse it."""
    found = _WRITTEN.fullmatch(text)
    if not found:
        raise click.BadParameter(f"{text!r} is not such as 90s, 30m, 2h or 1d")
    length = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if length > LONGEST:
        raise click.BadParameter(f"{text} is more than {LONGEST.days} days")
    return length


def told(seconds: float) -> str:
    """Return a stretch in its largest unit that is not too coarse: 43 s, 12 min."""
    for unit, length in (("s", 1), ("min", _MINUTE), ("h", _HOUR)):
        if round(seconds / length) < _FEW:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / _DAY:.0f} days"


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago something was; never a time to come, whatever the clocks."""
    return f"{told(max(0.0, (now - at).total_seconds()))} ago"


def every(seconds: int) -> str:
    """Return a period in words: every 5 seconds, every hour."""
    for unit, length in (("day", _DAY), ("hour", _HOUR), ("minute", _MINUTE)):
        if seconds % length == 0:
            count = seconds // length
            return f"every {unit}" if count == 1 else f"every {count} {unit}s"
    return "every second" if seconds == 1 else f"every {seconds} seconds"
