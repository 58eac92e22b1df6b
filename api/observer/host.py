"""The host as its kernel describes it; what it does not tell is null."""

import os
import time
from datetime import UTC, datetime
from typing import Any, Final

import psutil
import structlog

_log = structlog.get_logger()

_MB: Final = 1024**2
_GB: Final = 1024**3
# Over less than this the kernel's ticks say nothing.
_CPU_SECONDS_MIN: Final = 0.1


class Host:
    """Measures; how busy its processors were, it says of the time since it last did."""

    def __init__(self) -> None:
        self._looked = time.monotonic()
        self._times = psutil.cpu_times()

    def measure(self) -> dict[str, Any]:
        """Return what there is to see of the host."""
        now = datetime.now(UTC)
        try:
            return {**self._cpu(), **_memory(), **_disk(), **_load(), "timestamp": now}
        except (OSError, psutil.Error) as error:
            _log.warning("host_unknown", error=repr(error))
            return {"error": "The host does not tell how it does.", "timestamp": now}

    def _cpu(self) -> dict[str, Any]:
        # Not psutil's own share: it remembers a last look for each thread.
        seconds = time.monotonic() - self._looked
        if seconds < _CPU_SECONDS_MIN:
            return {"cpu_percent": None, "cpu_over_seconds": None}
        before, self._times = self._times, psutil.cpu_times()
        self._looked += seconds
        return {
            "cpu_percent": _percent(before, self._times),
            "cpu_over_seconds": round(seconds, 1),
        }


def _percent(before: Any, now: Any) -> float | None:
    """Return how much of the processors' time between two looks was not idle."""
    spent = {name: getattr(now, name) - getattr(before, name) for name in now._fields}
    # The kernel counts the time of guests in its user time, too.
    whole = sum(spent.values()) - spent.get("guest", 0) - spent.get("guest_nice", 0)
    idle = spent["idle"] + spent.get("iowait", 0)
    if whole <= 0:
        return None
    percent: float = 100 * (1 - idle / whole)
    return round(min(100.0, max(0.0, percent)), 1)


def _memory() -> dict[str, Any]:
    memory = psutil.virtual_memory()
    return {
        "memory": {
            "total_mb": memory.total / _MB,
            "available_mb": memory.available / _MB,
            "used_mb": memory.used / _MB,
            "percent": memory.percent,
        }
    }


def _disk() -> dict[str, Any]:
    disk = psutil.disk_usage("/")
    return {
        "disk": {
            "total_gb": disk.total / _GB,
            "used_gb": disk.used / _GB,
            "free_gb": disk.free / _GB,
            "percent": disk.percent,
        }
    }


def _load() -> dict[str, Any]:
    try:
        loads: tuple[float | None, ...] = os.getloadavg()
    except (AttributeError, OSError):  # no Unix
        loads = (None, None, None)
    return {"load_averages": dict(zip(("1min", "5min", "15min"), loads, strict=True))}
