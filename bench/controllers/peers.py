"""What others run, by their published formulas and defaults, on our ticks.

Formulas, not products. A desired size in, none of their delays between processes.
"""

import math
from collections import deque
from collections.abc import Sequence

from controller.tick import Tick

MOST = 60
LEAST = 2


def _bounded(size: float) -> int:
    return max(LEAST, min(MOST, math.ceil(size)))


class Hpa:
    """The Kubernetes autoscaler's own pacing around a ratio of metric to target."""

    every_seconds = 15.0
    tolerance = 0.1
    window_seconds = 300.0

    def __init__(self) -> None:
        self._asked_at = -math.inf
        self._wanted: deque[tuple[float, int]] = deque()

    def __call__(self, ticks: Sequence[Tick], size: int, now: float) -> int:
        """Return the size: up to the double or four more, down after five minutes."""
        if now - self._asked_at < self.every_seconds:
            return size
        self._asked_at = now
        wanted = self.wanted(ticks[-1], size)
        self._wanted.append((now, wanted))
        while self._wanted[0][0] <= now - self.window_seconds:
            self._wanted.popleft()
        if wanted > size:
            return min(wanted, max(2 * size, size + 4))
        return min(size, max(one for _, one in self._wanted))

    def wanted(self, tick: Tick, size: int) -> int:
        """Return the size by the formula, before any pacing."""
        ratio = self.ratio(tick, size)
        if abs(ratio - 1) <= self.tolerance:
            return size
        return _bounded(size * ratio)

    def ratio(self, tick: Tick, size: int) -> float:
        """Return the processor's use against a target of 70 %."""
        return tick.running / max(1, size) / 0.7


class KedaLists(Hpa):
    """KEDA on the length of a Redis list, five jobs a replica."""

    def ratio(self, tick: Tick, size: int) -> float:
        """Return the replicas the list's length asks for against those there are."""
        return tick.ready / 5 / max(1, size)


class AirflowKeda(Hpa):
    """Airflow's query under KEDA: queued and running jobs over a worker's slots."""

    def ratio(self, tick: Tick, size: int) -> float:
        """Return the replicas the jobs ask for against those there are."""
        return (tick.ready + tick.running) / max(1, size)


class Notify:
    """GOV.UK Notify: most arrivals of five minutes and queue length, by set rates.

    Up at once; down by one a minute, and not within five minutes of an up.
    """

    per_worker_a_minute = 300.0  # what a worker of 0.2 s jobs does
    per_worker_queued = 250.0
    apart_seconds = 60

    def __init__(self) -> None:
        self._up_at = self._down_at = -math.inf

    def __call__(self, ticks: Sequence[Tick], size: int, now: float) -> int:
        """Return the size."""
        minutes: dict[int, float] = {}
        for tick in ticks:
            if tick.at > now - 300:
                minute = math.floor((now - tick.at) / 60)
                minutes[minute] = minutes.get(minute, 0.0) + tick.arrived
        wanted = _bounded(
            math.ceil(max(minutes.values()) / self.per_worker_a_minute)
            + math.ceil(ticks[-1].ready / self.per_worker_queued)
        )
        if wanted > size:
            self._up_at = now
            return wanted
        if (
            wanted < size
            and now - max(self._up_at + 240, self._down_at) >= self.apart_seconds
        ):
            self._down_at = now
            return size - 1
        return size
