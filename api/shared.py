"""What processes count together is in Redis; away or slow, it is left alone.

Then everybody goes by what their own process knows.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

from tasks import Breaker

_Answer = TypeVar("_Answer")

SLOW_SECONDS: Final = 0.05
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
        self._breaker = Breaker("limits_not_shared", slow_seconds=SLOW_SECONDS)

    def ask(self, question: Callable[[RedisStorage], _Answer]) -> _Answer | None:
        """Return the answer, None while Redis is away or slow."""
        storage = self._storage
        if not storage:
            return None
        return self._breaker.ask(lambda: question(storage))
