"""Recalls: anybody calls one, another seconds it, and all vote."""

from datetime import UTC, datetime
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.audit import note
from api.councils.bodies import RecallBody
from api.openapi.describing import describes, describes_page
from api.permissions import principal_of
from api.shapes.councils import Recall
from domain.audit_events import Action
from domain.councils import keeping, recalls


class Recalls:
    """POST and GET /api/governance/councils/{id}/recalls."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = RecallBody()

    @describes(
        {201: Recall},
        body=RecallBody,
        refuses=[
            *("no_such_council", "no_such_seat", "seat_ended"),
            *("recall_open", "nobody_sits"),
        ],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, council_id: UUID
    ) -> None:
        """Call for the recall of who has a seat, or of the whole council."""
        body = media.load(self._schema, media.read_json(req))
        now, caller = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            made = recalls.call(
                session,
                council_id,
                caller=caller,
                member_id=body["seat_id"],
                reason=body["reason"],
                now=now,
            )
            note(
                req,
                session,
                Action.RECALL_CALLED,
                f"recall:{made.id}",
                council=str(council_id),
                seat=body["seat_id"] and str(body["seat_id"]),
            )
        resp.status = falcon.HTTP_201
        resp.location = f"/api/governance/councils/{council_id}/recalls"
        resp.media = recalls.describe(made, now)

    @describes_page("recalls", Recall, refuses=["no_such_council"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, council_id: UUID
    ) -> None:
        """List the recalls of a council and of its members, newest first."""
        query.allow(req, "limit", "cursor")
        start, limit = query.start(req, query.uuid), query.limit(req)
        now = datetime.now(UTC)
        with self._sessions() as session:
            keeping.find(session, council_id)
            found = recalls.page(session, council_id, start=start, limit=limit)
        query.page(
            req, resp, "recalls", found, lambda row: recalls.describe(row.Recall, now)
        )


class Seconds:
    """POST /api/governance/councils/{id}/recalls/{id}/second."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes(
        {200: Recall},
        refuses=[
            *("no_such_council", "no_such_recall", "recall_seconded"),
            *("recall_lapsed", "own_recall", "seat_ended"),
        ],
    )
    def on_post(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        council_id: UUID,
        recall_id: UUID,
    ) -> None:
        """Second a recall that another called, which opens the vote."""
        media.read_body(req)
        now, by = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            recall = recalls.second(session, council_id, recall_id, by=by, now=now)
            about = {
                "council": str(council_id),
                "proposal": str(recall.proposal_id),
            }
            note(req, session, Action.RECALL_SECONDED, f"recall:{recall_id}", **about)
        resp.media = recalls.describe(recall, now)
