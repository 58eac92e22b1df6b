"""Answers that never change, or not for some seconds, kept in the process."""

from collections import OrderedDict
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Final

_BYTES_MAX: Final = 16 * 1024 * 1024
# One long answer must not push out all the others.
_ANSWER_BYTES_MAX: Final = 1024 * 1024


class Kept:
    """Some megabytes of answers; those not asked for longest make room."""

    def __init__(
        self, seconds: float = inf, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._seconds, self._clock = seconds, clock
        self._answers: OrderedDict[object, tuple[bytes, float]] = OrderedDict()
        self._bytes = 0

    def get(self, name: object) -> bytes | None:
        """Return an answer that was kept, unless it is too old."""
        found = self._answers.get(name)
        if found is None:
            return None
        body, until = found
        if until <= self._clock():
            del self._answers[name]
            self._bytes -= len(body)
            return None
        self._answers.move_to_end(name)
        return body

    def keep(self, name: object, body: bytes) -> None:
        """Keep an answer, unless it is too long."""
        if len(body) > _ANSWER_BYTES_MAX or name in self._answers:
            return
        self._answers[name] = body, self._clock() + self._seconds
        self._bytes += len(body)
        while self._bytes > _BYTES_MAX:
            _, (old, _) = self._answers.popitem(last=False)
            self._bytes -= len(old)
