"""What a request shows of who sends it, and whose that is."""

import time
from collections.abc import Callable
from typing import Final, Protocol

import falcon

from api.errors import BEARER, Problem
from api.together import Together
from domain.principals import Principal

# What was revoked elsewhere, or has expired, is refused here no later than
# `_TRUST_SECONDS` after it.
_LOOK_SECONDS: Final = 4.0
_TRUST_SECONDS: Final = 5.0
_KNOWN_MAX: Final = 10_000


class Authenticate(Protocol):
    """Says whose credential this is, None when it is nobody's."""

    def __call__(self, text: str) -> Principal | None:
        """Look it up."""


class Trusted:
    """Known credentials of the moment; unknown ones are never remembered."""

    def __init__(self, find: Callable[[str], Principal | None]) -> None:
        self._find = find
        self._together = Together[Principal | None]()
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
        return self._together(text, lambda: self._look(text))

    def _look(self, text: str) -> Principal | None:
        now = time.monotonic()
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


class Credentials:
    """Reads requests: an application's key, or a person's token."""

    def __init__(self, keys: Authenticate, tokens: Authenticate | None = None) -> None:
        self._keys = keys
        self._tokens = tokens

    def principal(self, req: falcon.Request) -> Principal | None:
        """Return who asks, None when nothing says so; answer 401 to what is no good."""
        key = req.get_header("X-API-Key") or req.get_header("x-token")
        token = bearer_token(req)
        if key and token is not None:
            raise Problem(
                400, "two_credentials", "Send an API key or a token, not both."
            )
        if key:
            return self._of_key(key)
        return None if token is None else self._of_token(token)

    def _of_key(self, text: str) -> Principal:
        principal = self._keys(text)
        if principal is None:
            raise unauthenticated(
                "This API key is unknown, expired or revoked; ask its application's "
                "operator for another."
            )
        return principal

    def _of_token(self, text: str) -> Principal:
        principal = self._tokens(text) if self._tokens else None
        if principal is None:
            raise invalid_token()
        return principal


def bearer_token(req: falcon.Request) -> str | None:
    """Return the token of `Authorization: Bearer` (RFC 6750 §2.1)."""
    authorization = req.env.get("HTTP_AUTHORIZATION")
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def invalid_token() -> Problem:
    """Return the 401 that tells a client to refresh (RFC 6750 §3.1)."""
    return Problem(
        401,
        "invalid_token",
        "This access token is unknown or out of date, or its session has ended: "
        "refresh it, or log in again.",
        headers={"WWW-Authenticate": f'{BEARER}, error="invalid_token"'},
    )


def unauthenticated(detail: str) -> Problem:
    """Return the 401 that names what may be sent."""
    return Problem(
        401,
        "unauthenticated",
        detail,
        headers={
            "WWW-Authenticate": 'ApiKey realm="peoples-coin", header="X-API-Key", '
            + BEARER
        },
    )
