"""Elections of councils, and who stands in them."""

from datetime import UTC, datetime
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.audit import note
from api.councils.bodies import ElectionBody, NominationBody
from api.openapi.describing import describes, describes_page
from api.permissions import principal_of
from api.shapes.councils import Election, Nomination, NominationList
from domain.audit_events import Action
from domain.councils import elections, keeping, nominations


class Elections:
    """POST and GET /api/governance/councils/{id}/elections."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = ElectionBody()

    @describes(
        {201: Election},
        body=ElectionBody,
        refuses=["no_such_council", "election_open", "no_vacancy", "bad_parameters"],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, council_id: UUID
    ) -> None:
        """Call an election to the vacant seats, or to all; nominations open at once."""
        body = media.load(self._schema, media.read_json(req))
        now, caller = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            case = elections.call(session, council_id, caller=caller, **body, now=now)
            about = {"council": str(council_id), **case.text.details}
            subject = f"proposal:{case.row.id}"
            note(req, session, Action.ELECTION_CALLED, subject, **about)
        resp.status = falcon.HTTP_201
        resp.location = f"/api/governance/elections/{case.row.id}/nominations"
        resp.media = elections.describe(case, now)

    @describes_page("elections", Election, refuses=["no_such_council"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, council_id: UUID
    ) -> None:
        """List the elections of a council, newest first."""
        query.allow(req, "limit", "cursor")
        start, limit = query.start(req, query.uuid), query.limit(req)
        now = datetime.now(UTC)
        with self._sessions() as session:
            keeping.find(session, council_id)
            found = elections.page(
                session, council_id, start=start, limit=limit, now=now
            )
        query.page(
            req, resp, "elections", found, lambda case: elections.describe(case, now)
        )


class Nominations:
    """POST, GET and DELETE /api/governance/elections/{id}/nominations."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = NominationBody()

    @describes(
        {200: Nomination},
        body=NominationBody,
        refuses=[
            *("no_such_election", "no_such_user", "wrong_state"),
            *("already_in_council", "too_many_nominees"),
        ],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, election_id: UUID
    ) -> None:
        """Stand in an election, or say something else than before."""
        body = media.load(self._schema, media.read_json(req))
        now, person = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            told = nominations.nominate(
                session, election_id, person=person, **body, now=now
            )
            note(req, session, Action.NOMINATION_MADE, f"proposal:{election_id}")
        resp.media = told

    @describes({200: NominationList}, query=[], refuses=["no_such_election"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, election_id: UUID
    ) -> None:
        """Show who stands in an election, by their names."""
        query.allow(req)
        with self._sessions() as session:
            nominations.find_election(session, election_id)
            found = nominations.nominees(session, election_id)
        resp.media = {"nominations": found}

    @describes(
        {204: None}, refuses=["no_such_election", "no_such_nomination", "wrong_state"]
    )
    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, election_id: UUID
    ) -> None:
        """Stand no more."""
        media.read_body(req)
        now, person = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            nominations.withdraw(session, election_id, person=person, now=now)
            note(req, session, Action.NOMINATION_WITHDRAWN, f"proposal:{election_id}")
        resp.status = falcon.HTTP_204
