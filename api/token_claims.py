"""Access tokens as text: who made one says whose it is, and here it is believed."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from api.permissions import SCOPES_OF_ROLE
from domain.principals import PEOPLES_APPLICATION, Principal

AUDIENCE: Final = "peoples-coin-api"
ALGORITHM: Final = "EdDSA"
TYPE: Final = "at+jwt"

_REQUIRED: Final = ("exp", "iat", "aud", "iss", "sub", "sid")
_LENGTH_MAX: Final = 2_048
# The clocks of two hosts are never the same.
_SKEW: Final = timedelta(seconds=5)
_MEMBER: Final = "member"

# Returns the public key of this name, whatever was sent as one.
Verifying = Callable[[object], Ed25519PublicKey | None]


class Claims(NamedTuple):
    """Whose a token is, for as long as that login stands."""

    user_id: UUID
    login_id: UUID

    def principal(self, held: Iterable[str]) -> Principal:
        """Return the person, in the roles they hold."""
        every = frozenset({*held, _MEMBER})
        return Principal(
            id=self.user_id,
            application=PEOPLES_APPLICATION,
            owner=str(self.user_id),
            roles=every,
            scopes=frozenset().union(*(SCOPES_OF_ROLE[role] for role in every)),
            session=self.login_id,
        )


def read(text: str, *, verifying: Verifying, issuer: str) -> Claims | None:
    """Return what a token claims; None unless we made it and it is not out of date."""
    try:
        claims = _verified(text, verifying, issuer)
        return Claims(UUID(claims["sub"]), UUID(claims["sid"]))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None


def _verified(text: str, verifying: Verifying, issuer: str) -> dict[str, Any]:
    if len(text) > _LENGTH_MAX:
        raise jwt.InvalidTokenError
    header = jwt.get_unverified_header(text)
    key = verifying(header.get("kid"))
    if key is None or header.get("typ") != TYPE:
        raise jwt.InvalidTokenError
    claims: dict[str, Any] = jwt.decode(
        text,
        key,
        algorithms=[ALGORITHM],
        audience=AUDIENCE,
        issuer=issuer,
        leeway=_SKEW,
        options={"require": list(_REQUIRED)},
    )
    return claims
