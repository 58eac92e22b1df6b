"""Delegations on the wire: one's own, given and received."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.audit import note
from api.governance.voting_bodies import DelegationBody
from api.openapi.describing import describes, describes_item, describes_page
from api.openapi.parameters import one_of
from api.permissions import principal_of
from api.shapes.voting import Delegation as Shown
from domain.audit_events import Action
from domain.governance import delegations
from domain.governance.voting_record import Delegation

_GIVEN, _RECEIVED = "given", "received"


class Delegations:
    """GET and POST /api/governance/delegations."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = DelegationBody()

    @describes_page(
        "delegations",
        Shown,
        query=[one_of("direction", "Those you gave, or received.", _GIVEN, _RECEIVED)],
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List the delegations you gave, or received, newest first."""
        query.allow(req, "direction", "limit", "cursor")
        direction = query.one_of(req, "direction", _GIVEN, _RECEIVED)
        read = delegations.received if direction == _RECEIVED else delegations.given
        start, limit = query.start(req, query.uuid), query.limit(req)
        with self._sessions() as session:
            found = read(session, principal_of(req).id, start=start, limit=limit)
        query.page(
            req, resp, "delegations", found, lambda row: _describe(row.Delegation)
        )

    @describes(
        {201: Shown},
        body=DelegationBody,
        gives=["Location"],
        refuses=[
            *("no_such_user", "no_such_proposal_type"),
            *("delegated_to_yourself", "ends_too_early"),
        ],
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Put your vote into another's hands, for what opens from now on."""
        body = media.load(self._schema, media.read_json(req))
        with self._sessions.begin() as session:
            made = delegations.create(
                session,
                principal_of(req).id,
                body["delegate_id"],
                topic=body.get("topic"),
                until=body.get("until"),
                now=datetime.now(UTC),
            )
            about = {"delegate": str(made.delegate), "topic": made.topic}
            subject = f"delegation:{made.id}"
            note(req, session, Action.DELEGATION_CREATED, subject, **about)
        resp.status = falcon.HTTP_201
        resp.location = f"/api/governance/delegations/{made.id}"
        resp.media = _describe(made)


class DelegationItem:
    """GET and DELETE /api/governance/delegations/{id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_item(Shown, refuses=["no_such_delegation"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, delegation_id: UUID
    ) -> None:
        """Show a delegation that you gave or received."""
        viewer = principal_of(req).id
        with self._sessions() as session:
            found = delegations.find(session, delegation_id, viewer=viewer)
        media.show(req, resp, _describe(found))

    @describes({204: None}, refuses=["no_such_delegation"])
    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, delegation_id: UUID
    ) -> None:
        """End a delegation; votes that are open go on as they were frozen."""
        media.read_body(req)
        viewer, now = principal_of(req).id, datetime.now(UTC)
        with self._sessions.begin() as session:
            delegations.end(session, delegation_id, viewer=viewer, now=now)
            subject = f"delegation:{delegation_id}"
            note(req, session, Action.DELEGATION_ENDED, subject)
        resp.status = falcon.HTTP_204


def _describe(row: Delegation) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "delegator_id": str(row.delegator),
        "delegate_id": str(row.delegate),
        "topic": row.topic,
        "since": row.since.isoformat(),
        "until": row.until and row.until.isoformat(),
        "ended_at": row.ended_at and row.ended_at.isoformat(),
    }
