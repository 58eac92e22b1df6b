"""What processes count together is in Redis; away or slow, it is left alone.

Nobody waits for it longer than it takes to be called slow; then everybody goes by what
their own process knows, for a few seconds, until one asks again.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

import redis
import structlog
from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

_log = structlog.get_logger()

_Answer = TypeVar("_Answer")

SLOW_SECONDS: Final = 0.05
LEFT_ALONE_SECONDS: Final = 3.0
_CONNECTIONS_MAX: Final = 20
_PREFIX: Final = "coin:limit"


class Shared:
    """Redis, asked while it is well; without a URL there is none."""

    def __init__(self, url: str) -> None:
        self._storage = url and RedisStorage(
            url,
            key_prefix=_PREFIX,
            socket_timeout=SLOW_SECONDS,
            socket_connect_timeout=SLOW_SECONDS,
            # The client's own default is to try three times more.
            retry=Retry(NoBackoff(), retries=0),  # type: ignore[arg-type]
            max_connections=_CONNECTIONS_MAX,
        )
        self._again = 0.0

    def ask(self, question: Callable[[RedisStorage], _Answer]) -> _Answer | None:
        """Return the answer, None while Redis is away or slow."""
        began = time.monotonic()
        if not self._storage or began < self._again:
            return None
        try:
            answer = question(self._storage)
        except (redis.RedisError, OSError) as error:
            self._leave_alone(repr(error))
            return None
        if time.monotonic() - began > SLOW_SECONDS:
            self._leave_alone("slow")
        return answer

    def _leave_alone(self, reason: str) -> None:
        self._again = time.monotonic() + LEFT_ALONE_SECONDS
        _log.warning("limits_not_shared", error=reason)
