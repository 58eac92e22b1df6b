"""A person's wallets: added, named, made primary and removed by them alone.

Each change needs their signature while they demand one of others, too: who took their
token could otherwise lift the demand, or add a key that signs.
"""

from datetime import UTC, datetime
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.audit import note
from api.errors import Problem
from api.permissions import principal_of
from api.signatures import Signatures
from api.wallets.bodies import WalletBody, WalletChange
from domain import wallets
from domain.audit_events import Action


def require_person(req: falcon.Request, user_id: UUID) -> None:
    """Answer 403 unless the caller is this person, whatever else they may be."""
    if principal_of(req).owner != str(user_id):
        raise Problem(403, "not_your_account", "A person's wallets are theirs alone.")


class Wallets:
    """POST and GET /api/users/{id}/wallets."""

    def __init__(self, sessions: sessionmaker[Session], signatures: Signatures) -> None:
        self._sessions = sessions
        self._signatures = signatures
        self._schema = WalletBody()

    def on_post(
        self, req: falcon.Request, resp: falcon.Response, user_id: UUID
    ) -> None:
        """Add a wallet; the first is primary."""
        require_person(req, user_id)
        body = media.load(self._schema, media.read_json(req))
        with self._sessions.begin() as session:
            self._signatures.require_once(req, session, user_id)
            wallet = wallets.create(
                session, user_id=user_id, **body, now=datetime.now(UTC)
            )
            note(req, session, Action.WALLET_ADDED, f"wallet:{wallet.id}")
        resp.status = falcon.HTTP_201
        resp.location = f"/api/users/{user_id}/wallets/{wallet.id}"
        media.show(req, resp, wallet.describe())

    def on_get(self, req: falcon.Request, resp: falcon.Response, user_id: UUID) -> None:
        """List a person's wallets, newest first."""
        require_person(req, user_id)
        query.allow(req, "limit", "cursor")
        with self._sessions() as session:
            found = wallets.page(
                session,
                user_id=user_id,
                start=query.start(req, query.uuid),
                limit=query.limit(req),
            )
        query.page(req, resp, "wallets", found, lambda row: row.Wallet.describe())


class WalletItem:
    """GET, PATCH and DELETE /api/users/{id}/wallets/{id}."""

    def __init__(self, sessions: sessionmaker[Session], signatures: Signatures) -> None:
        self._sessions = sessions
        self._signatures = signatures
        self._schema = WalletChange()

    def on_get(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        user_id: UUID,
        wallet_id: UUID,
    ) -> None:
        """Show one wallet."""
        require_person(req, user_id)
        with self._sessions() as session:
            wallet = wallets.find(session, wallet_id, user_id=user_id)
        media.show(req, resp, wallet.describe())

    def on_patch(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        user_id: UUID,
        wallet_id: UUID,
    ) -> None:
        """Name a wallet anew, or make it the primary one."""
        require_person(req, user_id)
        body = media.load(self._schema, media.read_json(req))
        with self._sessions.begin() as session:
            wallet = wallets.find_to_change(session, wallet_id, user_id=user_id)
            self._signatures.require_once(req, session, user_id)
            media.require_match(req, wallet.describe())
            wallet.label = body.get("label", wallet.label)
            if "is_primary" in body:
                wallets.make_primary(session, wallet)
            subject, names = f"wallet:{wallet.id}", sorted(body)
            note(req, session, Action.WALLET_CHANGED, subject, fields=names)
        media.show(req, resp, wallet.describe())

    def on_delete(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        user_id: UUID,
        wallet_id: UUID,
    ) -> None:
        """Remove a wallet."""
        require_person(req, user_id)
        media.read_body(req)
        with self._sessions.begin() as session:
            wallet = wallets.find_to_change(session, wallet_id, user_id=user_id)
            self._signatures.require_once(req, session, user_id)
            wallets.remove(session, wallet, now=datetime.now(UTC))
            note(req, session, Action.WALLET_REMOVED, f"wallet:{wallet.id}")
        resp.status = falcon.HTTP_204
