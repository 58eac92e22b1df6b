"""What psutil tells of this host, and of the workers that run on it."""

import math
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import psutil

from domain.workload import HostLoad

# Of so many workers the memory is looked up, once a minute: each takes a millisecond.
_WEIGHED_MAX: Final = 8
_WEIGHED_SECONDS: Final = 60.0
_LARGE: Final = 0.95


class HostUnknown(Exception):
    """The host does not tell."""


class HostReader:
    """Reads the host; the processor's share is that since the last time."""

    def __init__(self, folder: str = "/") -> None:
        self._folder = folder
        self._worker_bytes: int | None = None
        self._weighed_at = -math.inf
        with suppress(psutil.Error, OSError):
            psutil.cpu_percent(interval=None)

    def read(self, pids: Sequence[int]) -> HostLoad:
        """Return how the host is, with the workers of these processes on it."""
        try:
            memory, swap = psutil.virtual_memory(), psutil.swap_memory()
            return HostLoad(
                cpu=psutil.cpu_percent(interval=None),
                cores=psutil.cpu_count() or 1,
                load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
                memory=memory.percent,
                memory_available=memory.available,
                swap=swap.percent,
                disk=psutil.disk_usage(self._folder).percent,
                workers=len(pids),
                worker_bytes=self._weigh(pids),
            )
        except (psutil.Error, OSError) as error:
            raise HostUnknown(f"host: {type(error).__name__}") from error

    def _weigh(self, pids: Sequence[int]) -> int | None:
        """Return what a large worker has for itself alone."""
        if time.monotonic() < self._weighed_at + _WEIGHED_SECONDS:
            return self._worker_bytes
        found = []
        for pid in pids[:_WEIGHED_MAX]:
            with suppress(psutil.Error, OSError):  # it may have ended
                found.append(psutil.Process(pid).memory_full_info().uss)
        if found:
            self._weighed_at = time.monotonic()
            self._worker_bytes = sorted(found)[math.ceil(_LARGE * len(found)) - 1]
        return self._worker_bytes
