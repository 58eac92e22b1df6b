"""Meters: how much each of many subjects has used of a quota in a sliding window.

A window slides by weight: the one before counts for the part of it that still lies
within. A process counts for itself and tells Redis in slices, learning what the others
told; so what all admit together exceeds a quota by at most one slice a process.
"""

import math
import threading
from collections.abc import Hashable
from typing import Final, NamedTuple

from limits import parse

from api.shared import SLOW_SECONDS, Shared

# A hundredth of a quota: the more a caller may, the less often it is told of.
SLICE_SHARE: Final = 100
SUBJECTS_MAX: Final = 20_000


class Taken(NamedTuple):
    """What a quota said: whether there was room, how much is left, until when."""

    allowed: bool
    remaining: int
    # Until it is whole again or, refused, until it would be allowed.
    seconds: int


class _Counter:
    """One subject's hits in the current window, and in the one before."""

    __slots__ = ("count", "here", "learned", "previous", "untold", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.count = 0  # by all processes, as far as we know
        self.here = 0  # by this one
        self.untold = 0  # by this one, and Redis does not know
        self.previous = 0
        self.learned = False  # whether Redis was asked about the window before

    def advance(self, window: int) -> None:
        """Begin another window."""
        self.previous = self.count if window == self.window + 1 else 0
        self.window = window
        self.count = self.here = self.untold = 0
        self.learned = False

    def add(self, cost: int) -> None:
        """Count hits, or take them back."""
        self.count += cost
        self.here += cost
        self.untold += cost


class Meter:
    """Measures one quota, written as `limits` reads it: "600/minute".

    `every`: how many hits are told together; with 0 each is, before it is allowed, and
    the quota is exact over all processes.
    """

    def __init__(
        self, name: str, rate: str, shared: Shared, *, every: int | None = None
    ) -> None:
        limit = parse(rate)
        self.name = name
        self.amount = limit.amount
        self.seconds = limit.get_expiry()
        self._slice = max(1, limit.amount // SLICE_SHARE) if every is None else every
        self._shared = shared
        self._counters: dict[Hashable, _Counter] = {}
        self._telling = threading.Lock()

    def take(
        self, subject: Hashable, *, now: float, cost: int = 1, amount: int | None = None
    ) -> Taken:
        """Count hits unless they are too many; `amount` is a smaller quota for now."""
        amount = self.amount if amount is None else amount
        counter = self._counter(subject, int(now // self.seconds))
        if self._used(counter, now) + cost <= amount:
            self._add(subject, counter, cost)
            remaining = amount - self._used(counter, now)
            if remaining >= 0:
                left = self.seconds - now % self.seconds
                return Taken(True, int(remaining), math.ceil(left))
            # What others have told came to light.
            self._add(subject, counter, -cost)
        remaining = max(0, amount - self._used(counter, now))
        wait = self._wait(counter, amount - cost, now)
        return Taken(False, int(remaining), max(1, math.ceil(wait)))

    def add(self, subject: Hashable, *, now: float) -> float:
        """Count a hit whatever the quota; return what is used then."""
        counter = self._counter(subject, int(now // self.seconds))
        self._add(subject, counter, 1)
        return self._used(counter, now)

    def used(self, subject: Hashable, *, now: float) -> float:
        """Return what a subject has used, as far as this process knows."""
        counter = self._counters.get(subject)
        if counter is None:
            return 0
        window = int(now // self.seconds)
        if counter.window != window:
            counter.advance(window)
        return self._used(counter, now)

    def _used(self, counter: _Counter, now: float) -> float:
        if not counter.previous:
            return counter.count
        return counter.count + counter.previous * (
            1 - now % self.seconds / self.seconds
        )

    def _wait(self, counter: _Counter, room: int, now: float) -> float:
        """Return the seconds until `room` is all that is used."""
        elapsed = now % self.seconds
        if counter.previous and counter.count <= room:
            passed = 1 - (room - counter.count) / counter.previous
            return self.seconds * passed - elapsed
        left = self.seconds - elapsed
        if room < 0 or not counter.count:
            return left
        return left + self.seconds * max(0.0, 1 - room / counter.count)

    def _add(self, subject: Hashable, counter: _Counter, cost: int) -> None:
        counter.add(cost)
        if abs(counter.untold) > self._slice or not self._slice:
            self._tell(subject, counter)

    def _counter(self, subject: Hashable, window: int) -> _Counter:
        counter = self._counters.get(subject)
        if counter is None:
            if len(self._counters) >= SUBJECTS_MAX:
                # What matters was told, and is learned again a slice from now.
                self._counters.clear()
            counter = self._counters[subject] = _Counter(window)
        elif counter.window != window:
            counter.advance(window)
        return counter

    def _tell(self, subject: Hashable, counter: _Counter) -> None:
        """Tell Redis what it does not know yet, and learn what it does."""
        if not self._telling.acquire(timeout=SLOW_SECONDS):
            return
        try:
            # Unless whoever held the lock has told it.
            if not self._slice or abs(counter.untold) > self._slice:
                self._exchange(f"{self.name}/{subject}", counter)
        finally:
            self._telling.release()

    def _exchange(self, key: str, counter: _Counter) -> None:
        window, told = counter.window, counter.untold
        # It begins to expire when it is made, and lasts until it is no previous one.
        lasting = 2 * self.seconds
        count = self._shared.ask(
            lambda redis: redis.incr(f"{key}/{window}", lasting, told)
        )
        if count is None or counter.window != window:
            return
        counter.untold -= told
        # A Redis that was emptied knows less than we do.
        counter.count = max(count + counter.untold, counter.here)
        if not counter.learned:
            before = self._shared.ask(lambda redis: redis.get(f"{key}/{window - 1}"))
            counter.learned = before is not None
            counter.previous = max(before or 0, counter.previous)
