"""Seats: who sits in a council, in which role, and how they leave."""

from datetime import UTC, datetime
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.audit import note
from api.councils.bodies import SeatBody
from api.openapi.describing import describes, describes_item, describes_page
from api.openapi.parameters import Parameter, one_of
from api.permissions import principal_of
from api.shapes.councils import Absence, Seat, SeatList
from domain.audit_events import Action
from domain.councils import keeping, leaving

_ROLE = Parameter(
    "role", "Only in this role.", {"type": "string", "minLength": 1}, "chair"
)
_COUNCIL = Parameter(
    "council_id", "Only of this council.", {"type": "string", "format": "uuid"}
)
_ACTIVE = one_of("active", "Only who sits now, or who does no more.", "true", "false")


class Seats:
    """GET /api/governance/councils/{id}/seats."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes({200: SeatList}, query=["at"], refuses=["no_such_council"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, council_id: UUID
    ) -> None:
        """Show who sits in a council, now or at a time."""
        query.allow(req, "at")
        now = datetime.now(UTC)
        at = query.instant(req, "at") or now
        with self._sessions() as session:
            keeping.find(session, council_id)
            found = keeping.members(session, council_id, at=at)
        resp.media = {"seats": [seat.describe(now) for seat in found]}


class SeatItem:
    """GET, PATCH and DELETE /api/governance/councils/{id}/seats/{id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = SeatBody()

    @describes_item(Seat, refuses=["no_such_seat"])
    def on_get(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        council_id: UUID,
        seat_id: UUID,
    ) -> None:
        """Show one seat, and who has or had it."""
        with self._sessions() as session:
            found = keeping.find_seat(session, council_id, seat_id)
        media.show(req, resp, found.describe(datetime.now(UTC)))

    @describes_item(
        Seat,
        body=SeatBody,
        edits=True,
        refuses=["no_such_council", "no_such_seat", "seat_ended", "not_in_council"],
    )
    def on_patch(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        council_id: UUID,
        seat_id: UUID,
    ) -> None:
        """Give who sits there another role; for the council and for operators."""
        body = media.load(self._schema, media.read_json(req))
        now, actor = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            keeping.lock(session, council_id, now=now)
            seat = keeping.find_seat(session, council_id, seat_id)
            media.require_match(req, seat.describe(now))
            seat = keeping.change_role(
                session, council_id, seat_id, body["role"], actor=actor, now=now
            )
            about = {"council": str(council_id), "fields": ["role"]}
            note(req, session, Action.SEAT_CHANGED, f"seat:{seat_id}", **about)
        media.show(req, resp, seat.describe(now))

    @describes(
        {204: None},
        refuses=["no_such_council", "no_such_seat", "not_your_seat", "seat_ended"],
    )
    def on_delete(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        council_id: UUID,
        seat_id: UUID,
    ) -> None:
        """Resign from one's own seat; whom the same ballots elect next takes it."""
        media.read_body(req)
        now, actor = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            leaving.resign(session, council_id, seat_id, actor=actor, now=now)
        resp.status = falcon.HTTP_204


class Absences:
    """POST /api/governance/councils/{id}/seats/{id}/absence."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes(
        {201: Absence},
        refuses=[
            *("no_such_council", "no_such_seat", "seat_ended", "not_in_council"),
            *("own_seat", "already_reported"),
        ],
    )
    def on_post(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        council_id: UUID,
        seat_id: UUID,
    ) -> None:
        """Report that another member of one's council stays away."""
        media.read_body(req)
        now, actor = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            told = leaving.report(session, council_id, seat_id, actor=actor, now=now)
            note(req, session, Action.ABSENCE_REPORTED, f"seat:{seat_id}")
        resp.status = falcon.HTTP_201
        resp.location = f"/api/governance/councils/{council_id}/seats/{seat_id}"
        resp.media = told


class Answers:
    """POST /api/governance/councils/{id}/seats/{id}/absence/answer."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes(
        {200: Absence},
        refuses=[
            *("no_such_council", "no_such_seat", "seat_ended"),
            *("not_your_seat", "not_reported"),
        ],
    )
    def on_post(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        council_id: UUID,
        seat_id: UUID,
    ) -> None:
        """Say that one is there after all."""
        media.read_body(req)
        now, actor = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            told = leaving.answer(session, council_id, seat_id, actor=actor, now=now)
            note(req, session, Action.ABSENCE_ANSWERED, f"seat:{seat_id}")
        resp.media = told


class Vacancies:
    """POST /api/governance/councils/{id}/seats/{id}/vacancy."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes(
        {200: Seat},
        refuses=[
            *("no_such_council", "no_such_seat", "seat_ended", "not_in_council"),
            *("not_reported", "time_to_answer"),
        ],
    )
    def on_post(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        council_id: UUID,
        seat_id: UUID,
    ) -> None:
        """Declare vacant the seat of who has not answered for thirty days."""
        media.read_body(req)
        now, actor = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            leaving.declare_vacant(session, council_id, seat_id, actor=actor, now=now)
            seat = keeping.find_seat(session, council_id, seat_id)
        resp.media = seat.describe(now)


class Members:
    """GET /api/governance/council_members."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_page("council_members", Seat, query=[_ROLE, _COUNCIL, _ACTIVE])
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List who sits and sat in councils, newest first."""
        query.allow(req, "role", "council_id", "active", "limit", "cursor")
        active = query.one_of(req, "active", "true", "false")
        now = datetime.now(UTC)
        with self._sessions() as session:
            found = keeping.page_of_members(
                session,
                role=req.get_param("role"),
                council_id=query.identity(req, "council_id"),
                active=None if active is None else active == "true",
                start=query.start(req, query.uuid),
                limit=query.limit(req),
                now=now,
            )
        query.page(
            req,
            resp,
            "council_members",
            found,
            lambda row: keeping.Seat(row.CouncilMember, row.User).describe(now),
        )
