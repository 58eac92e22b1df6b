"""Runs a module under a clock that steps back by an hour some seconds from now.

python -m bench.faults.clock SECONDS MODULE [ARGUMENT …]
"""

import datetime as dt
import runpy
import sys
import time
from typing import Any

STEP = dt.timedelta(hours=1)
_NANOSECONDS = 1_000_000_000

_real = dt.datetime
_time_ns = time.time_ns


class _Meta(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _real)


class _Stepping(_real, metaclass=_Meta):
    """`datetime`, whose `now` goes wrong at a moment."""

    wrong_from = 0.0

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        """Return the time, or an hour less."""
        wrong = time.monotonic() >= cls.wrong_from
        return _real.now(tz) - (STEP if wrong else dt.timedelta())


def _stepping_ns() -> int:
    wrong = time.monotonic() >= _Stepping.wrong_from
    return _time_ns() - (int(STEP.total_seconds()) * _NANOSECONDS if wrong else 0)


def main() -> None:
    """Put the clock in place before anything else is imported, and run."""
    seconds, module, *arguments = sys.argv[1:]
    _Stepping.wrong_from = time.monotonic() + float(seconds)
    dt.datetime = _Stepping  # type: ignore[misc]
    time.time_ns = _stepping_ns
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
