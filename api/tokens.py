"""Access tokens: JWTs signed by keys that rotate, each good for one standing login."""

import base64
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from sqlalchemy.orm import Session, sessionmaker

from api.authentication import Trusted
from api.permissions import SCOPES_OF_ROLE
from domain import roles, signing_keys, users
from domain.principals import Principal
from domain.signing_keys import PUBLISHED_AHEAD, SigningKey

ACCESS_TOKEN_LIFE: Final = timedelta(minutes=10)
AUDIENCE: Final = "peoples-coin-api"
# Others learn of a new key before the first token it signs.
JWKS_SECONDS: Final = int(PUBLISHED_AHEAD.total_seconds()) // 2

_ALGORITHM: Final = "EdDSA"
_TYPE: Final = "at+jwt"
_CLAIMS: Final = ("exp", "iat", "aud", "iss", "sub", "sid")
_PURPOSE: Final = "access"
_TOKEN_LENGTH_MAX: Final = 2_048
# The clocks of two hosts are never the same.
_SKEW: Final = timedelta(seconds=5)
_TRUST_SECONDS: Final = 4.0
_LOOK_SECONDS: Final = 1.0
_MEMBER: Final = "member"


class _Pair(NamedTuple):
    stored: SigningKey
    private: Ed25519PrivateKey
    public: Ed25519PublicKey


class KeyRing:
    """The signing keys of the moment, looked up again every few seconds."""

    def __init__(self, sessions: sessionmaker[Session], secret: str) -> None:
        self._sessions = sessions
        self._secret = secret
        self._pairs: dict[str, _Pair] = {}
        self._looked = float("-inf")

    def signing(self, now: datetime) -> tuple[str, Ed25519PrivateKey]:
        """Return the key to sign with and its name."""
        pairs = self._known(_TRUST_SECONDS)
        stored = [pair.stored for pair in pairs.values()]
        name = signing_keys.signing(stored, now=now).id.hex
        return name, pairs[name].private

    def verifying(self, name: object) -> Ed25519PublicKey | None:
        """Return the public key of this name; another process may just have made it."""
        pairs = self._known(_TRUST_SECONDS)
        if name not in pairs:
            pairs = self._known(_LOOK_SECONDS)
        pair = pairs.get(name) if isinstance(name, str) else None
        return pair and pair.public

    def published(self) -> list[dict[str, str]]:
        """Return every public key as a JSON Web Key (RFC 8037)."""
        return [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": _ALGORITHM,
                "kid": name,
                "x": _base64url(pair.public.public_bytes_raw()),
            }
            for name, pair in self._known(_TRUST_SECONDS).items()
        ]

    def _known(self, seconds: float) -> dict[str, _Pair]:
        if time.monotonic() - self._looked > seconds:
            with self._sessions.begin() as session:
                now = datetime.now(UTC)
                keys = signing_keys.standing(session, secret=self._secret, now=now)
            self._pairs = self._derive(keys)
            self._looked = time.monotonic()
        return self._pairs

    def _derive(self, keys: Sequence[SigningKey]) -> dict[str, _Pair]:
        pairs = {}
        for key in keys:
            seed = key.derive(_PURPOSE, secret=self._secret)
            private = Ed25519PrivateKey.from_private_bytes(seed)
            pairs[key.id.hex] = _Pair(key, private, private.public_key())
        return pairs


class AccessTokens(Trusted):
    """Makes access tokens, and says whose one is while its login stands."""

    def __init__(
        self, sessions: sessionmaker[Session], *, issuer: str, secret: str
    ) -> None:
        super().__init__(self._read_and_look_up)
        self._sessions = sessions
        self._issuer = issuer
        self._ring = KeyRing(sessions, secret)
        self.published = self._ring.published

    def make(self, *, user_id: UUID, login_id: UUID, now: datetime) -> str:
        """Return a token for one login of a person."""
        name, key = self._ring.signing(now)
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "sid": str(login_id),
            "iat": now,
            "exp": now + ACCESS_TOKEN_LIFE,
        }
        headers = {"kid": name, "typ": _TYPE}
        return jwt.encode(claims, key, algorithm=_ALGORITHM, headers=headers)

    def _read_and_look_up(self, text: str) -> Principal | None:
        try:
            claims = self._read(text)
            user_id, login_id = UUID(claims["sub"]), UUID(claims["sid"])
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            return None
        with self._sessions() as session:
            held = roles.of_login(
                session, login_id, user_id=user_id, now=datetime.now(UTC)
            )
        return None if held is None else _principal(user_id, login_id, held)

    def _read(self, text: str) -> dict[str, Any]:
        if len(text) > _TOKEN_LENGTH_MAX:
            raise jwt.InvalidTokenError
        header = jwt.get_unverified_header(text)
        key = self._ring.verifying(header.get("kid"))
        if key is None or header.get("typ") != _TYPE:
            raise jwt.InvalidTokenError
        claims: dict[str, Any] = jwt.decode(
            text,
            key,
            algorithms=[_ALGORITHM],
            audience=AUDIENCE,
            issuer=self._issuer,
            leeway=_SKEW,
            options={"require": list(_CLAIMS)},
        )
        return claims


def _principal(user_id: UUID, login_id: UUID, held: frozenset[str]) -> Principal:
    every = held | {_MEMBER}
    return Principal(
        id=user_id,
        application=users.APPLICATION,
        owner=str(user_id),
        roles=every,
        scopes=frozenset().union(*(SCOPES_OF_ROLE[role] for role in every)),
        session=login_id,
    )


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
