"""Guessing passwords is slowed down, more with every failure; nobody is locked out.

An attempt counts as failed from its beginning and is taken back when it succeeds:
otherwise many at once would all be the first.
"""

import math
import threading
import time
from hashlib import sha256
from typing import Any, Final, NamedTuple

import structlog
from limits.storage import RedisStorage

from api.errors import Problem
from api.figures import logins_failed
from api.shared import Shared

_log = structlog.get_logger()

_Keys = tuple[str, str, str, str]


class Patience(NamedTuple):
    """How many failures cost nothing, and how long the wait after others may become."""

    free: int
    seconds_max: int


# One account from one address; then an address, whatever the accounts: a school may
# share one; then an account, from addresses it was never used from.
PAIR: Final = Patience(free=5, seconds_max=60)
ADDRESS: Final = Patience(free=100, seconds_max=30)
ACCOUNT: Final = Patience(free=20, seconds_max=30)
_PATIENCES: Final = (PAIR, ADDRESS, ACCOUNT)

# After so long without an attempt, failures are forgotten.
FORGOTTEN_SECONDS: Final = 3_600
KNOWN_SECONDS: Final = 30 * 86_400
_MEMORY_MAX: Final = 20_000
_PREFIX: Final = "coin:login:"

# All or none: an attempt that has to wait is not counted. The account's own count is
# the last, and left out where the account is known from the address.
_ATTEMPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local counted = #KEYS - 1
if redis.call('EXISTS', KEYS[#KEYS]) == 1 then counted = counted - 1 end
local wait = 0
for i = 1, counted do
    local due = tonumber(redis.call('HGET', KEYS[i], 'due') or 0)
    wait = math.max(wait, due - now)
end
if wait > 0 then return wait end
for i = 1, counted do
    local free, most = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1]) * 1000
    local beyond = redis.call('HINCRBY', KEYS[i], 'failures', 1) - free
    if beyond > 0 then
        local delay = math.min(most, 1000 * 2 ^ math.min(beyond - 1, 20))
        redis.call('HSET', KEYS[i], 'due', now + delay)
    end
    redis.call('PEXPIRE', KEYS[i], ARGV[1] * 1000)
end
return 0
"""

# What the attempt counted, and no more: where the account is known, its own count is
# that of others.
_TAKE_BACK: Final = """
local counted = #KEYS - 1
if redis.call('EXISTS', KEYS[#KEYS]) == 1 then counted = counted - 1 end
redis.call('DEL', KEYS[1])
for i = 2, counted do
    if tonumber(redis.call('HGET', KEYS[i], 'failures') or 0) > 0 then
        redis.call('HINCRBY', KEYS[i], 'failures', -1)
    end
    redis.call('HDEL', KEYS[i], 'due')
end
redis.call('SET', KEYS[#KEYS], 1, 'EX', ARGV[1])
"""


class _Failures:
    """What one key has failed, in this process' memory."""

    __slots__ = ("due", "failures", "until")

    def __init__(self) -> None:
        self.failures = 0
        self.due = self.until = 0.0

    def count(self, patience: Patience, now: float) -> None:
        """Count an attempt."""
        self.failures = 1 if now >= self.until else self.failures + 1
        self.until = now + FORGOTTEN_SECONDS
        beyond = self.failures - patience.free
        if beyond > 0:
            self.due = now + min(patience.seconds_max, 2 ** min(beyond - 1, 20))


class Guesses:
    """Is told of every password that is shown, and how it went."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._memory: dict[str, _Failures] = {}
        self._known: dict[str, float] = {}
        self._counting = threading.Lock()

    def before(self, username: str, address: str) -> None:
        """Count an attempt, or answer 429 saying how long to wait before the next."""
        wait = self.wait_seconds(username, address)
        if wait:
            raise Problem(
                429,
                "login_delayed",
                f"Too many failed logins; try again in {wait} seconds, or reset the "
                "password.",
                headers={"Retry-After": str(wait)},
            )

    def failed(self, username: str, address: str) -> None:
        """Keep an attempt counted."""
        logins_failed.inc()
        _log.warning("login_failed", account=_digest(username), address=address)

    def succeeded(self, username: str, address: str) -> None:
        """Take an attempt back, and know this account from this address."""
        keys = _keys(username, address)
        self._shared.ask(
            lambda storage: _run(storage, _TAKE_BACK, keys, [KNOWN_SECONDS])
        )
        now = time.time()
        with self._counting:
            self._memory.pop(keys[0], None)
            for key, _ in self._counted(keys, now)[1:]:
                if found := self._memory.get(key):
                    found.failures, found.due = max(0, found.failures - 1), 0.0
            if len(self._known) >= _MEMORY_MAX:
                self._known.clear()
            self._known[keys[-1]] = now + KNOWN_SECONDS

    def wait_seconds(self, username: str, address: str) -> int:
        """Count an attempt and return 0, or return the seconds it has to wait."""
        keys = _keys(username, address)
        patiences = [number for one in _PATIENCES for number in one]
        shared_ms = self._shared.ask(
            lambda storage: _run(
                storage, _ATTEMPT, keys, [FORGOTTEN_SECONDS, *patiences]
            )
        )
        if shared_ms:
            return math.ceil(shared_ms / 1000)
        # Counted here too: Redis may be away the next time.
        wait = self._attempt_here(keys, time.time(), judging=shared_ms is None)
        return math.ceil(wait)

    def _attempt_here(self, keys: _Keys, now: float, *, judging: bool) -> float:
        """Count an attempt in memory, unless it has to wait."""
        with self._counting:
            if len(self._memory) >= _MEMORY_MAX:
                self._memory.clear()
            found = [
                (self._memory.setdefault(key, _Failures()), patience)
                for key, patience in self._counted(keys, now)
            ]
            wait = max(failures.due for failures, _ in found) - now
            if judging and wait > 0:
                return wait
            for failures, patience in found:
                failures.count(patience, now)
        return 0

    def _counted(self, keys: _Keys, now: float) -> list[tuple[str, Patience]]:
        """Return what an attempt counts for: not the account, where it is known."""
        counted = list(zip(keys, _PATIENCES, strict=False))
        return counted[:-1] if self._known.get(keys[-1], 0) > now else counted


def _run(
    storage: RedisStorage, script: str, keys: _Keys, arguments: list[int]
) -> float:
    """Run a script; Redis keeps it, so that its digest is all that is sent."""
    client: Any = storage.get_connection()
    return float(client.register_script(script)(keys, arguments) or 0)


def _keys(username: str, address: str) -> _Keys:
    """Return the keys of pair, address, account, and of the two's acquaintance."""
    account = _digest(username)
    pair = _digest(f"{account} {address}")
    return (
        f"{_PREFIX}pair:{pair}",
        f"{_PREFIX}address:{address}",
        f"{_PREFIX}account:{account}",
        f"{_PREFIX}known:{pair}",
    )


def _digest(text: str) -> str:
    """Return what stands for a name: some type their password there."""
    return sha256(text.casefold().encode()).hexdigest()[:24]
