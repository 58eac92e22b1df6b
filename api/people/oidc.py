"""People who log in elsewhere: an OpenID issuer's tokens, checked with its own keys."""

import hmac
import time
from datetime import timedelta
from typing import Any, Final

import jwt
import structlog

from api.errors import Problem, unavailable
from api.outgoing import Unanswered, ask
from domain.external_identities import Identity
from domain.settings import web_address

_log = structlog.get_logger()

_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
_TOKEN_LENGTH_MAX: Final = 16_384
_SUBJECT_LENGTH_MAX: Final = 255
_KEYS_MAX: Final = 100
_SECONDS: Final = 5.0
_KEYS_GOOD_FOR_SECONDS: Final = 600.0
# For a key nobody has heard of we ask again, but not each time.
_LOOK_SECONDS: Final = 30.0
_SKEW: Final = timedelta(seconds=30)

Keys = dict[str | None, jwt.PyJWK]


class OpenIdIssuer:
    """The issuer the settings name, and its keys as last heard of."""

    def __init__(self, issuer: str, audience: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys: Keys = {}
        self._looked = float("-inf")

    def identify(self, token: str, *, nonce: str | None) -> Identity:
        """Return whom the token is about, or answer 401."""
        if not self._issuer:
            raise Problem(404, "not_found", "No external issuer is configured here.")
        try:
            claims = self._read(token)
            self._require_nonce(claims, nonce)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            _log.info("id_token_refused", reason=type(error).__name__)
            raise Problem(
                401,
                "invalid_id_token",
                "The token is not one of the issuer's for us, or is out of date.",
                headers={"WWW-Authenticate": 'Bearer realm="peoples-coin"'},
            ) from None
        return _identity(claims, self._issuer)

    def _read(self, token: str) -> dict[str, Any]:
        if len(token) > _TOKEN_LENGTH_MAX:
            raise jwt.InvalidTokenError
        header = jwt.get_unverified_header(token)
        key = self._key(header.get("kid"))
        algorithm = header["alg"]
        if algorithm not in _ALGORITHMS or key.algorithm_name != algorithm:
            raise jwt.InvalidAlgorithmError
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=_SKEW,
            options={
                "require": ["exp", "iat", "aud", "iss", "sub"],
                "enforce_minimum_key_length": True,
            },
        )
        if not 0 < len(claims["sub"]) <= _SUBJECT_LENGTH_MAX or "\0" in claims["sub"]:
            raise jwt.InvalidTokenError
        return claims

    @staticmethod
    def _require_nonce(claims: dict[str, Any], nonce: str | None) -> None:
        if nonce is None:
            return
        given = str(claims.get("nonce", ""))
        if not hmac.compare_digest(given.encode(), nonce.encode()):
            raise jwt.InvalidTokenError

    def _key(self, name: str | None) -> jwt.PyJWK:
        keys = self._known(_KEYS_GOOD_FOR_SECONDS)
        if name not in keys:
            keys = self._known(_LOOK_SECONDS)
        # An issuer of one key need not name it.
        if name is None and len(keys) == 1:
            return next(iter(keys.values()))
        if name not in keys:
            raise jwt.InvalidTokenError
        return keys[name]

    def _known(self, seconds: float) -> Keys:
        if not self._keys or time.monotonic() - self._looked > seconds:
            # Whoever comes meanwhile goes on with what is known.
            self._looked = time.monotonic()
            try:
                self._keys = self._fetch()
            except (Unanswered, ValueError) as error:
                _log.error("issuer_unanswered", error=str(error))
                if not self._keys:
                    raise unavailable(
                        "issuer_unavailable", "The issuer does not answer; try again."
                    ) from None
        return self._keys

    def _fetch(self) -> Keys:
        where = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        described = ask(where, seconds=_SECONDS)
        if described.get("issuer") != self._issuer:
            raise ValueError(f"{where} describes another issuer")
        address = web_address(str(described.get("jwks_uri")))
        if self._issuer.startswith("https:") and not address.startswith("https:"):
            raise ValueError(f"{where} leads out of https")
        listed = ask(address, seconds=_SECONDS).get("keys")
        found = listed[:_KEYS_MAX] if isinstance(listed, list) else []
        return {key.key_id: key for key in map(_usable, found) if key is not None}


def _usable(document: Any) -> jwt.PyJWK | None:
    """Return a key that may verify by an algorithm we take."""
    if not isinstance(document, dict) or document.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(document)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    named = isinstance(key.key_id, str | None)
    return key if named and key.algorithm_name in _ALGORITHMS else None


def _identity(claims: dict[str, Any], issuer: str) -> Identity:
    email = claims.get("email")
    verified = claims.get("email_verified") is True and isinstance(email, str)
    return Identity(issuer, claims["sub"], email if verified else None)
