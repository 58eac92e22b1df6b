"""Copies of answers in Redis that are never older than what anybody was told.

A copy carries the version of what it shows. Before a transaction that makes version N
commits, its worker fences the name at N: an older copy is gone, and none is kept any
more. Who finds no copy asks Redis for the time, then the database, and may keep what it
answered for half of a copy's life after that; a copy lives for the other half. So a
slow reader comes too late to bring back what a newer copy, now gone, had replaced.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from domain.ledger import AccountKey, is_system
from tasks._breaker import Breaker

# A process with much to do takes some tens of milliseconds to see an answer that is
# there: less would have it call a good Redis slow whenever it is busy itself.
SLOW_SECONDS: Final = 0.2
_CONNECTIONS_MAX: Final = 16
# Twice as long as any statement may take: a commit does not outlast its fence.
_FENCE_MS: Final = 60_000
_NAMES_A_CALL: Final = 500

# The time is that of Redis: the one clock that all processes share.
_LOOK: Final = """
    local time = redis.call('TIME')
    return {redis.call('GET', KEYS[1]), time[1] * 1000 + math.floor(time[2] / 1000)}
"""
_KEEP: Final = """
    local time = redis.call('TIME')
    local late = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[3]
    if late < 0 or late > tonumber(ARGV[4]) then return 0 end
    local held = redis.call('GET', KEYS[1])
    if held and tonumber(string.match(held, '^%d+')) > tonumber(ARGV[1]) then
        return 0
    end
    redis.call('SET', KEYS[1], ARGV[1] .. '|' .. ARGV[2], 'PX', ARGV[4])
    return 1
"""
_FENCE: Final = """
    for place, name in ipairs(KEYS) do
        local held = redis.call('GET', name)
        local version = ARGV[place + 1]
        if not held
            or tonumber(string.match(held, '^%d+')) <= tonumber(version) then
            redis.call('SET', name, version .. '|', 'PX', ARGV[1])
        end
    end
"""


class Look(NamedTuple):
    """What was found under a name, and when by Redis' clock; no body, no copy."""

    at: int
    version: int = 0
    body: bytes = b""


class Copies:
    """Redis, asked while it is well; without a URL or a life there are none."""

    def __init__(self, url: str, life_seconds: int) -> None:
        self.wanted = bool(url and life_seconds)
        self._half_ms = life_seconds * 500
        self._breaker = Breaker("copies_left_alone", slow_seconds=SLOW_SECONDS)
        self._redis: Any = _client(url) if self.wanted else None

    def look(self, name: str) -> Look | None:
        """Return what is kept under a name; None while Redis is away."""
        found = self._breaker.ask(lambda: self._redis.eval(_LOOK, 1, name))
        if found is None:
            return None
        held, at = found
        version, _, body = (held or b"0|").partition(b"|")
        return Look(at, int(version), body)

    def keep(self, name: str, version: int, body: bytes, *, looked: Look) -> None:
        """Keep what the database answered after that look, unless it is too late."""
        given = (version, body, looked.at, self._half_ms)
        self._breaker.ask(lambda: self._redis.eval(_KEEP, 1, name, *given))

    def fence(self, changed: Mapping[AccountKey, int]) -> None:
        """Let no copy be older than these versions, which are about to be committed."""
        versions = {
            balance_name(key.application, key.owner): version
            for key, version in changed.items()
            if not is_system(key.owner)
        }
        if self.wanted and versions:
            self._breaker.ask(lambda: self._fence(list(versions.items())))

    def _fence(self, versions: Sequence[tuple[str, int]]) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            for start in range(0, len(versions), _NAMES_A_CALL):
                names, given = zip(
                    *versions[start : start + _NAMES_A_CALL], strict=True
                )
                pipeline.eval(_FENCE, len(names), *names, _FENCE_MS, *given)
            pipeline.execute()

    def close(self) -> None:
        """Let go of the connections."""
        if self._redis:
            self._redis.connection_pool.disconnect()


def _client(url: str) -> redis.Redis:
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS_MAX,
        timeout=SLOW_SECONDS,
        socket_timeout=SLOW_SECONDS,
        socket_connect_timeout=SLOW_SECONDS,
        # The client's own default is to try three times more.
        retry=Retry(NoBackoff(), retries=0),
    )
    return redis.Redis(connection_pool=pool)


def balance_name(application: str, owner: str) -> str:
    """Return the name of an owner's balance; it holds nothing else of a request."""
    return f"coin:balance:{application}:{owner}"
