"""Who looks: judged as the API judges, by parts that write nothing."""

from typing import Final
from uuid import UUID

import falcon
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from api import token_claims
from api.credentials import Credentials, Trusted
from api.permissions import RULES, enforce
from domain import key_texts
from domain.principals import Principal

# Who may read audit events there, may read them here.
_AUDITING: Final = RULES["GET", "/api/audit/events"]

_KEY: Final = sa.text("SELECT * FROM observer_key(:id, :digest)")
_ROLES: Final = sa.text("SELECT observer_roles(:login_id, :user_id)")
_SIGNING_KEY: Final = sa.text("SELECT public_key FROM signing_keys WHERE id = :id")


class Visitors:
    """Knows people by their tokens and applications by their keys."""

    def __init__(self, engine: sa.Engine, *, issuer: str) -> None:
        self._engine = engine
        self._issuer = issuer
        self._credentials = Credentials(Trusted(self._of_key), Trusted(self._of_token))

    def auditor(self, req: falcon.Request) -> Principal | None:
        """Return who may read audit events, None for who shows no credential.

        Answer 401 to a credential that is no good, 403 to one that opens other things.
        """
        principal = self._credentials.principal(req)
        if principal is not None:
            enforce(req, _AUDITING, principal)
        return principal

    def _of_key(self, text: str) -> Principal | None:
        if not key_texts.well_formed(text):
            return None
        shown = {"id": key_texts.identifier(text), "digest": key_texts.digest(text)}
        with self._engine.connect() as connection:
            key = connection.execute(_KEY, shown).first()
        if key is None:
            return None
        return Principal(key.principal, key.application, frozenset(key.scopes))

    def _of_token(self, text: str) -> Principal | None:
        claims = token_claims.read(text, verifying=self._verifying, issuer=self._issuer)
        if claims is None:
            return None
        with self._engine.connect() as connection:
            held = connection.execute(_ROLES, claims._asdict()).scalar()
        return None if held is None else claims.principal(held)

    def _verifying(self, name: object) -> Ed25519PublicKey | None:
        key_id = UUID(str(name))
        if key_id.hex != name:
            return None
        with self._engine.connect() as connection:
            public = connection.execute(_SIGNING_KEY, {"id": key_id}).scalar()
        return public and Ed25519PublicKey.from_public_bytes(bytes(public))
