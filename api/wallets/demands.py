"""What a person demands to be signed: all that takes credits of theirs, or nothing."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media
from api.audit import note
from api.permissions import principal_of
from api.signatures import Signatures
from api.wallets.bodies import DemandBody
from api.wallets.keeping import require_person
from domain import signatures, wallets
from domain.audit_events import Action


class Demands:
    """GET and PATCH /api/users/{id}/signatures."""

    def __init__(
        self, sessions: sessionmaker[Session], signatures_: Signatures
    ) -> None:
        self._sessions = sessions
        self._signatures = signatures_
        self._schema = DemandBody()

    def on_get(self, req: falcon.Request, resp: falcon.Response, user_id: UUID) -> None:
        """Show whether a person's signature is demanded."""
        if not req.context.anyones:
            require_person(req, user_id)
        with self._sessions() as session:
            shown = _describe(session, user_id)
        media.show(req, resp, shown)

    def on_patch(
        self, req: falcon.Request, resp: falcon.Response, user_id: UUID
    ) -> None:
        """Demand signatures or lift that; for others, an admin may only lift it."""
        body = media.load(self._schema, media.read_json(req))
        wanted = body["signatures_required"]
        own = principal_of(req).owner == str(user_id)
        if wanted or not req.context.anyones:
            require_person(req, user_id)
        with self._sessions.begin() as session:
            if own:
                self._signatures.require_once(req, session, user_id)
            media.require_match(req, _describe(session, user_id))
            if wanted:
                new = wallets.demand_signatures(session, user_id, now=datetime.now(UTC))
            else:
                new = signatures.lift(session, user_id)
            if new:
                action = (
                    Action.SIGNATURES_DEMANDED if wanted else Action.SIGNATURES_LIFTED
                )
                note(req, session, action, f"user:{user_id}")
            shown = _describe(session, user_id)
        self._signatures.changed()
        media.show(req, resp, shown)


def _describe(session: Session, user_id: UUID) -> dict[str, Any]:
    demand = signatures.demand_of(session, user_id)
    return {
        "signatures_required": demand is not None,
        "since": demand and demand.since.isoformat(),
    }
