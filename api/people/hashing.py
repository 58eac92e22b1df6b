"""Argon2id, off the event loop: no more at once than there are cores, few waiting."""

import os
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

import argon2
import gevent

from api.errors import unavailable
from domain.passwords import normal

# The first choice of OWASP's password storage cheat sheet.
_HASHER: Final = argon2.PasswordHasher(
    time_cost=1, memory_cost=47_104, parallelism=1, hash_len=32, salt_len=16
)
# Nobody's: it takes as long to find that out as that a password is wrong.
_NOBODYS: Final = (
    f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},"
    f"p={_HASHER.parallelism}${'A' * 22}${'A' * 43}"
)

WAITING_MAX: Final = 64
_TURN_SECONDS: Final = 20.0

_Result = TypeVar("_Result")


class Passwords:
    """Hashes and verifies passwords."""

    def __init__(self) -> None:
        cores = os.cpu_count() or 1
        self._turns = threading.BoundedSemaphore(cores)
        self._places = threading.BoundedSemaphore(cores + WAITING_MAX)

    def hash(self, password: str) -> str:
        """Return what is stored of a password; answer 503 when too many wait."""
        return self._apart(_HASHER.hash, normal(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Say whether the password is the stored one; nobody's takes as long."""
        right = self._apart(_matches, stored or _NOBODYS, normal(password))
        return right and stored is not None

    @staticmethod
    def outdated(stored: str) -> bool:
        """Say whether the hash was made with other parameters than today's."""
        return _HASHER.check_needs_rehash(stored)

    def _apart(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        if not self._places.acquire(blocking=False):
            raise _busy()
        try:
            if not self._turns.acquire(timeout=_TURN_SECONDS):
                raise _busy()
            try:
                result: _Result = gevent.get_hub().threadpool.apply(work, arguments)
                return result
            finally:
                self._turns.release()
        finally:
            self._places.release()


def _matches(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except argon2.exceptions.VerificationError:
        return False


def _busy() -> Exception:
    return unavailable("logins_busy", "Too many passwords to check at once; try again.")
