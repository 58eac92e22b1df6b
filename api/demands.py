"""Whose accounts demand signatures: asked once in a few seconds, not for each write."""

import threading
import time
from collections.abc import Iterable
from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from api.errors import unavailable
from domain.signatures import demanding

# A demand made elsewhere is met here no later than `_TRUST_SECONDS` after it.
_LOOK_SECONDS: Final = 3.0
_TRUST_SECONDS: Final = 5.0
_WAIT_SECONDS: Final = 5.0


class Demands:
    """The accounts of the moment; when they cannot be asked for, nobody is let by."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._owners: frozenset[str] = frozenset()
        self._look_at = self._trusted_until = 0.0
        self._looking = threading.Lock()

    def among(self, owners: Iterable[str]) -> frozenset[str]:
        """Return which of the owners demand signatures, or answer 503."""
        if time.monotonic() >= self._look_at:
            self._look()
        return self._owners.intersection(owners) if self._owners else self._owners

    def expire(self) -> None:
        """Ask again with the next write: a demand was made or lifted here."""
        self._look_at = self._trusted_until = 0.0

    def _look(self) -> None:
        """Ask the database: one does, and others go on with what is trusted still."""
        trusted = time.monotonic() < self._trusted_until
        if not self._looking.acquire(timeout=0 if trusted else _WAIT_SECONDS):
            if trusted:
                return
            raise unavailable("database_unavailable", "The database is slow; wait.")
        try:
            began = time.monotonic()
            if began >= self._look_at:
                with self._sessions() as session:
                    self._owners = demanding(session)
                self._look_at = began + _LOOK_SECONDS
                self._trusted_until = began + _TRUST_SECONDS
        finally:
            self._looking.release()
