"""Whose key is it: looked up once in a few seconds, whatever the number of requests."""

import time
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from domain.keys import Principal, authenticate, well_formed

# A key revoked elsewhere is refused here no later than this.
_TRUST_SECONDS: Final = 4.0
_KEYS_MAX: Final = 10_000


class ApiKeys:
    """Known keys of the moment; unknown ones are never remembered."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._known: dict[str, tuple[Principal, float]] = {}

    def __call__(self, text: str) -> Principal | None:
        """Return the key's principal, None when it is nobody's."""
        known = self._known.get(text)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        if not well_formed(text):
            return None
        with self._sessions.begin() as session:
            principal = authenticate(session, text, now=datetime.now(UTC))
        self._remember(text, principal)
        return principal

    def _remember(self, text: str, principal: Principal | None) -> None:
        if principal is None:
            self._known.pop(text, None)
            return
        if len(self._known) >= _KEYS_MAX:
            self._known.clear()
        self._known[text] = (principal, time.monotonic() + _TRUST_SECONDS)
