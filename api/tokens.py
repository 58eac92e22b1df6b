"""Access tokens: JWTs signed by keys that rotate, each good for one standing login."""

import base64
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from sqlalchemy.orm import Session, sessionmaker

from api import token_claims
from api.credentials import Trusted
from api.together import Together
from api.token_claims import ALGORITHM, AUDIENCE, TYPE
from domain import roles, signing_keys
from domain.principals import Principal
from domain.signing_keys import PUBLISHED_AHEAD, SigningKey

ACCESS_TOKEN_LIFE: Final = timedelta(minutes=10)
# Others learn of a new key before the first token it signs.
JWKS_SECONDS: Final = int(PUBLISHED_AHEAD.total_seconds()) // 2

_PURPOSE: Final = "access"
_TRUST_SECONDS: Final = 4.0
_LOOK_SECONDS: Final = 1.0


class _Pair(NamedTuple):
    stored: SigningKey
    private: Ed25519PrivateKey
    public: Ed25519PublicKey

    @property
    def public_bytes(self) -> bytes:
        return self.public.public_bytes_raw()


class KeyRing:
    """The signing keys of the moment, looked up again every few seconds."""

    def __init__(self, sessions: sessionmaker[Session], secret: str) -> None:
        self._sessions = sessions
        self._secret = secret
        self._pairs: dict[str, _Pair] = {}
        self._looked = float("-inf")
        self._together = Together[None]()

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
                "alg": ALGORITHM,
                "kid": name,
                "x": _base64url(pair.public_bytes),
            }
            for name, pair in self._known(_TRUST_SECONDS).items()
        ]

    def _known(self, seconds: float) -> dict[str, _Pair]:
        if time.monotonic() - self._looked > seconds:
            self._together("keys", self._look)
        return self._pairs

    def _look(self) -> None:
        with self._sessions.begin() as session:
            now = datetime.now(UTC)
            keys = signing_keys.standing(session, secret=self._secret, now=now)
            pairs = self._derive(keys)
            signing_keys.publish(
                session,
                {key.stored.id: key.public_bytes for key in pairs.values()},
            )
        self._pairs = pairs
        self._looked = time.monotonic()

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
        headers = {"kid": name, "typ": TYPE}
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers=headers)

    def _read_and_look_up(self, text: str) -> Principal | None:
        claims = token_claims.read(
            text, verifying=self._ring.verifying, issuer=self._issuer
        )
        if claims is None:
            return None
        with self._sessions() as session:
            held = roles.of_login(
                session,
                claims.login_id,
                user_id=claims.user_id,
                now=datetime.now(UTC),
            )
        return None if held is None else claims.principal(held)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
