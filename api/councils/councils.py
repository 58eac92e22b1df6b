"""Councils: made by operators, read by everybody."""

from datetime import UTC, datetime
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.audit import note
from api.councils.bodies import CouncilBody
from api.openapi.describing import describes, describes_item, describes_page
from api.shapes.councils import Council
from domain.audit_events import Action
from domain.councils import keeping


class Councils:
    """POST and GET /api/governance/councils."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = CouncilBody()

    @describes({201: Council}, body=CouncilBody, refuses=["council_name_taken"])
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Make a council; its seats are vacant until an election."""
        body = media.load(self._schema, media.read_json(req))
        with self._sessions.begin() as session:
            made = keeping.create(session, **body, now=datetime.now(UTC))
            note(req, session, Action.COUNCIL_CREATED, f"council:{made.id}")
        resp.status = falcon.HTTP_201
        resp.location = f"/api/governance/councils/{made.id}"
        resp.media = keeping.describe(made, 0)

    @describes_page("councils", Council)
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List councils, newest first."""
        query.allow(req, "limit", "cursor")
        start, limit = query.start(req, query.uuid), query.limit(req)
        with self._sessions() as session:
            now = datetime.now(UTC)
            found = keeping.page(session, start=start, limit=limit, now=now)
        query.page(
            req,
            resp,
            "councils",
            found,
            lambda row: keeping.describe(row.Council, row.occupied),
        )


class CouncilItem:
    """GET /api/governance/councils/{id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_item(Council, refuses=["no_such_council"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, council_id: UUID
    ) -> None:
        """Show one council."""
        with self._sessions() as session:
            found = keeping.find(session, council_id)
            sitting = keeping.members(session, council_id, at=datetime.now(UTC))
        media.show(req, resp, keeping.describe(found, len(sitting)))
