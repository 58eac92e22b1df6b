"""A circuit breaker: what helps and is not needed is asked only while it is well.

Nobody waits for it longer than it takes to be called slow; then everybody does without,
for a few seconds, until one asks again.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

import redis
import structlog

_log = structlog.get_logger()

_Answer = TypeVar("_Answer")

LEFT_ALONE_SECONDS: Final = 3.0


class Breaker:
    """Stands between one process and one Redis."""

    def __init__(self, event: str, *, slow_seconds: float) -> None:
        self._event = event
        self._slow_seconds = slow_seconds
        self._again = 0.0

    def ask(self, question: Callable[[], _Answer]) -> _Answer | None:
        """Return the answer, None while Redis is away or slow."""
        began = time.monotonic()
        if began < self._again:
            return None
        if self._again:
            # One finds out whether it is well again; the others go on without.
            self._again = began + LEFT_ALONE_SECONDS
        try:
            answer = question()
        except (redis.RedisError, OSError) as error:
            self._open(repr(error))
            return None
        if time.monotonic() - began > self._slow_seconds:
            self._open("slow")
        else:
            self._again = 0.0
        return answer

    def _open(self, reason: str) -> None:
        self._again = time.monotonic() + LEFT_ALONE_SECONDS
        _log.warning(self._event, error=reason)
