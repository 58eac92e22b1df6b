"""Replay a trace against a policy: workers that start late, jobs first come first.

A discrete-event simulation: the policy sees the ticks it would see in service.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from controller.outcome import Moment, Outcome
from controller.tick import HOUR_TICKS, TICK_SECONDS, Tick
from controller.traces import Span, Trace

# Service times are gamma distributed around the trace's mean.
_SHAPE: Final = 2.0
_DEATH_NOTICED_SECONDS: Final = 60.0

# From the ticks so far, the present size and the time, to the size wanted.
Controller = Callable[[Sequence[Tick], int, float], int]


def simulate(  # noqa: PLR0913  what a run depends on
    trace: Trace,
    controller: Controller,
    *,
    start_seconds: float,
    size: int = 2,
    seed: int = 1,
    warm_up: float = 0.0,
) -> Outcome:
    """Play a trace to its end; what happens before `warm_up` does not count."""
    run = _Run(controller, start_seconds=start_seconds, size=size, seed=seed)
    return run.play(trace, warm_up)


class _Run:
    """Jobs, workers and the clock of one simulation."""

    def __init__(
        self, controller: Controller, *, start_seconds: float, size: int, seed: int
    ) -> None:
        self._controller = controller
        self._start_seconds = start_seconds
        self._random = random.Random(seed)  # noqa: S311  repeatable, not secret
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._now = 0.0
        self._counted_from = 0.0
        self._queue: deque[tuple[float, float]] = deque()
        self._idle = size
        self._busy = 0
        self._leaving = 0
        self._dead = 0
        self._starting: list[int] = []
        self._ticks: deque[Tick] = deque(maxlen=HOUR_TICKS)
        self._arrived = self._finished = 0
        self._served = self._longest = 0.0
        self._outcome = Outcome(sizes=[(0.0, size)])

    def play(self, trace: Trace, warm_up: float) -> Outcome:
        """Run event by event until the trace is over."""
        self._counted_from = warm_up
        begin = 0.0
        for span in trace:
            self._at(begin, self._begin, span, begin + span.seconds)
            begin += span.seconds
        self._at(TICK_SECONDS, self._tick)
        while self._events and self._events[0][0] <= begin:
            at, _, happen = heapq.heappop(self._events)
            self._pay(at)
            self._now = at
            happen()
        self._pay(begin)
        # Those who still wait have waited at least this long.
        for arrived, _ in self._queue:
            self._count_wait(arrived, begin)
        return self._outcome

    def _at(self, at: float, happen: Callable[..., None], *given: object) -> int:
        self._serial += 1
        heapq.heappush(self._events, (at, self._serial, lambda: happen(*given)))
        return self._serial

    @property
    def _size(self) -> int:
        working = self._idle + self._busy - self._leaving
        return working + self._dead + len(self._starting)

    def _pay(self, until: float) -> None:
        seconds = until - max(self._now, self._counted_from)
        if seconds > 0:
            self._outcome.worker_seconds += seconds * (self._size + self._leaving)

    def _begin(self, span: Span, end: float) -> None:
        for _ in range(span.deaths):
            self._die()
        self._plan_arrival(span, end)

    def _plan_arrival(self, span: Span, end: float) -> None:
        if span.rate > 0:
            at = self._now + self._random.expovariate(span.rate)
            if at < end:
                self._at(at, self._arrive, span, end)

    def _arrive(self, span: Span, end: float) -> None:
        self._arrived += 1
        service = self._random.gammavariate(_SHAPE, span.service / _SHAPE)
        self._queue.append((self._now, service))
        self._serve()
        self._plan_arrival(span, end)

    def _serve(self) -> None:
        while self._idle and self._queue:
            arrived, service = self._queue.popleft()
            self._idle -= 1
            self._busy += 1
            self._count_wait(arrived, self._now)
            if arrived >= self._counted_from:
                self._outcome.work_seconds += service
            self._at(self._now + service, self._finish, service)

    def _count_wait(self, arrived: float, begun: float) -> None:
        self._longest = max(self._longest, begun - arrived)
        if arrived >= self._counted_from:
            self._outcome.waits.append(begun - arrived)

    def _finish(self, service: float) -> None:
        self._finished += 1
        self._served += service
        self._busy -= 1
        if self._leaving:
            self._leaving -= 1
            return
        self._idle += 1
        self._serve()

    def _start(self, count: int) -> None:
        ready = self._now + self._start_seconds
        for _ in range(count):
            # Its own number is known only when the event is planned.
            number = self._serial + 1
            self._starting.append(self._at(ready, self._be_ready, number))

    def _be_ready(self, number: int) -> None:
        if number in self._starting:
            self._starting.remove(number)
            self._idle += 1
            self._serve()

    def _die(self) -> None:
        if self._idle:
            self._idle -= 1
        elif self._busy > self._leaving:
            self._leaving += 1
        else:
            return
        self._dead += 1
        self._at(self._now + _DEATH_NOTICED_SECONDS, self._replace)

    def _replace(self) -> None:
        if self._dead:
            self._dead -= 1
            self._start(1)

    def _tick(self) -> None:
        self._ticks.append(self._measure())
        size = self._size
        wanted = self._controller(self._ticks, size, self._now)
        if wanted > size:
            self._start(wanted - size)
        for _ in range(size - wanted):
            self._release()
        self._note(wanted)
        if self._now < self._counted_from:
            self._outcome.sizes = [(self._counted_from, wanted)]
        elif wanted != size:
            self._outcome.sizes.append((self._now, wanted))
        self._at(self._now + TICK_SECONDS, self._tick)

    def _note(self, wanted: int) -> None:
        tick = self._ticks[-1]
        there = self._idle + self._busy - self._leaving
        wait = max(self._longest, tick.oldest)
        moment = Moment(self._now, tick.rate, wanted, there, wait)
        self._outcome.moments.append(moment)
        self._longest = 0.0

    def _measure(self) -> Tick:
        tick = Tick(
            at=self._now,
            seconds=TICK_SECONDS,
            arrived=self._arrived,
            finished=self._finished,
            busy=self._served,
            ready=len(self._queue),
            running=self._busy,
            oldest=self._now - self._queue[0][0] if self._queue else 0.0,
        )
        self._arrived = self._finished = 0
        self._served = 0.0
        return tick

    def _release(self) -> None:
        """Let one worker go: who is not there yet, who idles, who works, in turn."""
        if self._starting:
            self._starting.pop()
        elif self._idle:
            self._idle -= 1
        elif self._busy > self._leaving:
            self._leaving += 1
        else:
            self._dead -= 1
