"""How many messages lie in a broker, by queue."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_SECONDS: Final = 1.0
# As kombu names things: a list a priority, and one hash of what is not acknowledged.
_PRIORITIES: Final = ("", "\x06\x163", "\x06\x166", "\x06\x169")
_PREFIX: Final = "coin:"
_UNACKED: Final = f"{_PREFIX}unacked"
_UNACKED_MAX: Final = 1_000


class BrokerAway(Exception):
    """The broker did not answer in time, or not all of it; no address is named."""


class Broker(Protocol):
    """Counts what waits to be read."""

    def messages(self, queues: Sequence[str]) -> dict[str, int]:
        """Return how many messages each queue has, or raise BrokerAway."""


class RedisBroker:
    """Every list of a queue, and what was taken and not acknowledged."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), retries=0),
        )

    def messages(self, queues: Sequence[str]) -> dict[str, int]:
        """Return how many messages each queue has, in one exchange or two."""
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for queue in queues:
                    for priority in _PRIORITIES:
                        pipe.llen(f"{_PREFIX}{queue}{priority}")
                pipe.hlen(_UNACKED)
                *lengths, unacked = pipe.execute()
            taken = self._taken(unacked)
        except redis.RedisError as error:
            raise BrokerAway(f"Redis: {type(error).__name__}") from error
        lists = len(_PRIORITIES)
        return {
            queue: sum(lengths[number * lists : (number + 1) * lists]) + taken[queue]
            for number, queue in enumerate(queues)
        }

    def _taken(self, unacked: int) -> "Counter[str]":
        if not unacked:
            return Counter()
        if unacked > _UNACKED_MAX:
            raise BrokerAway(
                f"Redis: {unacked} messages are not acknowledged, too many to read"
            )
        messages = cast("Iterable[bytes]", self._client.hvals(_UNACKED))
        # A message, its exchange and its routing key, which is the queue's name.
        return Counter(json.loads(message)[-1] for message in messages)
