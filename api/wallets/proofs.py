"""Proving that a wallet's key is one's own: a challenge, and its signature."""

from datetime import UTC, datetime
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import ed25519, media
from api.audit import note
from api.errors import Problem
from api.signatures import Signatures
from api.wallets.bodies import ProofBody
from api.wallets.keeping import require_person
from domain import wallets
from domain.audit_events import Action


class Challenges:
    """POST /api/users/{id}/wallets/{id}/challenge."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_post(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        user_id: UUID,
        wallet_id: UUID,
    ) -> None:
        """Say what to sign; a challenge before this one is good no more."""
        require_person(req, user_id)
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            wallet = wallets.find_to_change(session, wallet_id, user_id=user_id)
            text = wallets.challenge(session, wallet, now=now)
        resp.set_header("Cache-Control", "no-store")
        resp.media = {
            "challenge": text,
            "message": wallets.proof_message(wallet, text).decode(),
            "expires_at": (now + wallets.CHALLENGE_LIFETIME).isoformat(),
        }


class Proofs:
    """POST /api/users/{id}/wallets/{id}/proof."""

    def __init__(self, sessions: sessionmaker[Session], signatures: Signatures) -> None:
        self._sessions = sessions
        self._signatures = signatures
        self._schema = ProofBody()

    def on_post(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        user_id: UUID,
        wallet_id: UUID,
    ) -> None:
        """Take the signature of the challenge's message as proof of the key."""
        require_person(req, user_id)
        body = media.load(self._schema, media.read_json(req))
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            wallet = wallets.find_to_change(session, wallet_id, user_id=user_id)
            self._signatures.require_once(req, session, user_id)
            key, message = wallets.to_prove(wallet, body["challenge"], now=now)
            if not ed25519.verify(key, body["signature"], message):
                raise Problem(
                    422,
                    "wrong_proof",
                    "This is no signature of `message` by the wallet's key.",
                )
            wallets.prove(session, wallet, now=now)
            note(req, session, Action.WALLET_PROVED, f"wallet:{wallet.id}")
        media.show(req, resp, wallet.describe())
