"""Whose credential is it: looked up once in a few seconds, whatever the requests."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from domain.keys import authenticate, well_formed
from domain.principals import Principal

# What was revoked elsewhere, or has expired, is refused here no later than
# `_TRUST_SECONDS` after it.
_LOOK_SECONDS: Final = 4.0
_TRUST_SECONDS: Final = 5.0
_KNOWN_MAX: Final = 10_000


class Trusted:
    """Known credentials of the moment; unknown ones are never remembered."""

    def __init__(self, find: Callable[[str], Principal | None]) -> None:
        self._find = find
        # With each, when to look again, and until when it is trusted.
        self._known: dict[str, tuple[Principal, float, float]] = {}

    def __call__(self, text: str) -> Principal | None:
        """Return whose credential this is, None when it is nobody's."""
        now = time.monotonic()
        known = self._known.get(text)
        if known is not None:
            principal, look_at, trusted_until = known
            if now < look_at:
                return principal
            if now < trusted_until:
                # One looks again; the others go on with what is trusted still.
                self._known[text] = principal, trusted_until, trusted_until
        found = self._find(text)
        self._remember(text, found, now)
        return found

    def _remember(self, text: str, principal: Principal | None, seen: float) -> None:
        if principal is None:
            self._known.pop(text, None)
            return
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known[text] = principal, seen + _LOOK_SECONDS, seen + _TRUST_SECONDS


class ApiKeys(Trusted):
    """The API keys of applications."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        super().__init__(self._authenticate)
        self._sessions = sessions

    def _authenticate(self, text: str) -> Principal | None:
        if not well_formed(text):
            return None
        with self._sessions.begin() as session:
            return authenticate(session, text, now=datetime.now(UTC))
