"""What others run, by their published formulas and defaults, on our ticks.

Formulas, not products: nothing here takes time but a worker's start, and no figure is
late. A number of replicas out, within the bounds that all share.
"""

import math
from collections import deque
from collections.abc import Sequence
from statistics import fmean

from controller.tick import Tick

MOST = 60
LEAST = 2


def _bounded(size: float) -> int:
    return max(LEAST, min(MOST, math.ceil(size)))


class Hpa:
    """Kubernetes on processor use: 80 %, which is what it takes when told nothing.

    Of all pods, a starting one counting as idle, as it does on the way up. That a busy
    worker uses a whole processor is in its favour: ours mostly wait for the database.
    """

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
        wanted = self._tolerated(self.replicas(ticks), size)
        self._wanted.append((now, wanted))
        while self._wanted[0][0] <= now - self.window_seconds:
            self._wanted.popleft()
        if wanted > size:
            return min(wanted, max(2 * size, size + 4))
        return min(size, max(one for _, one in self._wanted))

    def _tolerated(self, replicas: float, size: int) -> int:
        near = abs(replicas / max(1, size) - 1) <= self.tolerance
        return size if near else _bounded(replicas)

    def replicas(self, ticks: Sequence[Tick]) -> float:
        """Return the replicas that would be used as they should, over 15 seconds."""
        recent = [tick.running for tick in ticks if tick.at > ticks[-1].at - 15]
        return fmean(recent) / 0.8


class KedaLists(Hpa):
    """KEDA on the length of a Redis list, five jobs a replica, through Kubernetes'."""

    def replicas(self, ticks: Sequence[Tick]) -> float:
        """Return the replicas the list's length asks for."""
        return ticks[-1].ready / 5


class AirflowKeda(Hpa):
    """Airflow's query under KEDA: queued and running jobs over a worker's slots."""

    def replicas(self, ticks: Sequence[Tick]) -> float:
        """Return the replicas the jobs ask for, a worker of ours having one slot."""
        return ticks[-1].ready + ticks[-1].running


class Notify:
    """GOV.UK Notify: the most done in a minute of five, and the queue's length.

    Each over a number set by hand; the first is right here for all jobs but those that
    take longer than usual. Up at once; down by one a minute, and not within
    five minutes of an up.
    """

    per_worker_queued = 250.0
    minutes = 5
    after_up_seconds = 300
    after_down_seconds = 60

    def __init__(self, service_seconds: float) -> None:
        self._per_worker_a_minute = 60 / service_seconds
        self._up_at = self._down_at = -math.inf

    def __call__(self, ticks: Sequence[Tick], size: int, now: float) -> int:
        """Return the size."""
        wanted = _bounded(
            math.ceil(self._most_a_minute(ticks, now) / self._per_worker_a_minute)
            + math.ceil(ticks[-1].ready / self.per_worker_queued)
        )
        if wanted > size:
            self._up_at = now
            return wanted
        rested = (
            now - self._up_at >= self.after_up_seconds
            and now - self._down_at >= self.after_down_seconds
        )
        if wanted < size and rested:
            self._down_at = now
            return size - 1
        return size

    def _most_a_minute(self, ticks: Sequence[Tick], now: float) -> float:
        """Return the most jobs that workers took from the queue in a minute.

        Its metric counts messages received by workers, not those sent to the queue.
        """
        done = [0.0] * self.minutes
        for tick in ticks:
            ago = math.floor((now - tick.at) / 60)
            if ago < self.minutes:
                done[ago] += tick.finished
        return max(done)
