"""Bounties on the wire: credits held, claimed, paid and returned."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import falcon
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.audit import note
from api.bodies import NONCE_LENGTH_MAX, Moment, example, printable
from api.councils.bodies import prose
from api.ledger import Writes
from api.media import INTEGER_MAX
from api.openapi.describing import (
    describes,
    describes_item,
    describes_page,
    describes_write,
)
from api.openapi.parameters import Parameter, one_of
from api.permissions import principal_of
from api.shapes.bounties import (
    Bounty,
    BountyClaim,
    BountyClosed,
    BountyCreated,
    BountyPaid,
)
from api.signatures import REFUSES_UNSIGNED
from domain.audit_events import Action
from domain.bounties import claiming, holding, keeping
from domain.bounties.keeping import State

PARTICIPANTS_MAX: Final = 1_000
DESCRIPTION_LENGTH_MAX: Final = 20_000
PROOF_LENGTH_MAX: Final = 5_000
_UUID: Final = {"type": "string", "format": "uuid"}


def add_routes(
    app: falcon.App[Any, Any], writes: Writes, sessions: sessionmaker[Session]
) -> None:
    """Serve bounties and the claims to them."""
    one = "/api/bounties/{bounty_id:uuid}"
    claim = f"{one}/claims/{{claimant_id:uuid}}"
    app.add_route("/api/bounties", Bounties(writes, sessions))
    app.add_route(one, BountyItem(sessions))
    app.add_route(f"{one}/claims", Claims(sessions))
    app.add_route(f"{claim}/acceptance", Acceptances(writes, sessions))
    app.add_route(f"{claim}/rejection", Rejections(sessions))
    app.add_route(f"{one}/close", Closings(writes, sessions))


def _nonce() -> fields.String:
    length = validate.Length(1, NONCE_LENGTH_MAX)
    return fields.String(validate=[length, printable], metadata=example("tulips-1"))


def _whole(most: int, shown: int) -> fields.Integer:
    between, said = validate.Range(1, most), example(shown)
    return fields.Integer(required=True, strict=True, validate=between, metadata=said)


class BountyBody(Schema):
    """POST /api/bounties."""

    title = fields.String(
        required=True,
        validate=[validate.Length(5, 255), printable],
        metadata=example("Water the tulips in August"),
    )
    description = fields.String(
        required=True,
        validate=[validate.Length(1, DESCRIPTION_LENGTH_MAX), prose],
        metadata=example("Twice a week, the beds along the canal."),
    )
    reward = _whole(INTEGER_MAX, 5)
    participants_max = _whole(PARTICIPANTS_MAX, 2)
    expires_at = Moment(required=True, metadata=example("2031-11-20T21:50:00Z"))
    proposal_id = fields.UUID(load_default=None)
    nonce = _nonce()


class DecisionBody(Schema):
    """POST /api/bounties/{id}/close, and …/acceptance."""

    nonce = _nonce()


class ClaimBody(Schema):
    """POST /api/bounties/{id}/claims."""

    proof = fields.String(
        required=True,
        validate=[validate.Length(1, PROOF_LENGTH_MAX), prose],
        metadata=example("The beds are wet, see https://example.org/tulips.jpg"),
    )


class Bounties:
    """POST and GET /api/bounties."""

    def __init__(self, writes: Writes, sessions: sessionmaker[Session]) -> None:
        self._writes = writes
        self._sessions = sessions
        self._schema = BountyBody()

    @describes_write(
        BountyBody,
        BountyCreated,
        refuses=[
            *("insufficient_credits", "expires_too_early", "no_such_proposal"),
            *REFUSES_UNSIGNED,
        ],
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Accept a bounty, whose credits are held from its creator's account."""
        body = media.load(self._schema, media.read_json(req))
        if body["expires_at"] <= datetime.now(UTC):
            raise holding.ExpiresTooEarly
        owner = str(principal_of(req).id)
        proposal_id = body["proposal_id"] and str(body["proposal_id"])
        written = {
            "creator": owner,
            "expires_at": body["expires_at"].isoformat(),
            "proposal_id": proposal_id,
        }
        self._writes.accept(
            req,
            resp,
            kind=holding.CREATE,
            owner=owner,
            takes=True,
            payload={**body, **written},
        )

    @describes_page(
        "bounties",
        Bounty,
        query=[
            one_of("state", "Only bounties in this state.", *State),
            Parameter("proposal_id", "Only what comes from this proposal.", _UUID),
            Parameter("creator", "Only what this person created.", _UUID),
        ],
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List bounties, newest first."""
        query.allow(req, "state", "proposal_id", "creator", "limit", "cursor")
        state, now = query.one_of(req, "state", *State), datetime.now(UTC)
        with self._sessions() as session:
            found = keeping.page(
                session,
                state=None if state is None else State(state),
                proposal_id=query.identity(req, "proposal_id"),
                creator=query.identity(req, "creator"),
                start=query.start(req, query.uuid),
                limit=query.limit(req),
                now=now,
            )
        query.page(
            req,
            resp,
            "bounties",
            found,
            lambda row: keeping.Standing(*row).describe(now),
        )


class BountyItem:
    """GET /api/bounties/{id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_item(Bounty, refuses=["no_such_bounty"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, bounty_id: UUID
    ) -> None:
        """Show one bounty."""
        with self._sessions() as session:
            found = keeping.find(session, bounty_id)
        media.show(req, resp, found.describe(datetime.now(UTC)))


class Claims:
    """POST and GET /api/bounties/{id}/claims."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = ClaimBody()

    @describes(
        {201: BountyClaim},
        body=ClaimBody,
        refuses=[
            *("no_such_bounty", "own_bounty", "claimed_before"),
            *("bounty_closed", "bounty_full"),
        ],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, bounty_id: UUID
    ) -> None:
        """Say that one has done it, and what shows that."""
        body = media.load(self._schema, media.read_json(req))
        now, person = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            made = claiming.claim(session, bounty_id, person=person, **body, now=now)
            note(req, session, Action.BOUNTY_CLAIMED, f"bounty:{bounty_id}")
        resp.status = falcon.HTTP_201
        resp.location = f"/api/bounties/{bounty_id}/claims"
        resp.media = claiming.describe(made)

    @describes_page("claims", BountyClaim, refuses=["no_such_bounty"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, bounty_id: UUID
    ) -> None:
        """List the claims to a bounty, those of the newest members first."""
        query.allow(req, "limit", "cursor")
        start, limit = query.start(req, query.uuid), query.limit(req)
        with self._sessions() as session:
            keeping.find(session, bounty_id)
            found = claiming.page(session, bounty_id, start=start, limit=limit)
        query.page(
            req, resp, "claims", found, lambda row: claiming.describe(row.BountyClaim)
        )


class Acceptances:
    """POST /api/bounties/{id}/claims/{user}/acceptance."""

    def __init__(self, writes: Writes, sessions: sessionmaker[Session]) -> None:
        self._writes = writes
        self._sessions = sessions
        self._schema = DecisionBody()

    @describes_write(
        DecisionBody,
        BountyPaid,
        refuses=[
            *("no_such_bounty", "no_such_claim", "not_your_bounty"),
            *("claim_rejected", "bounty_closed"),
        ],
    )
    def on_post(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        bounty_id: UUID,
        claimant_id: UUID,
    ) -> None:
        """Accept that somebody is paid the reward."""
        body = media.load(self._schema, media.read_json(req))
        with self._sessions() as session:
            _require_judge(req, session, bounty_id)
            claiming.find(session, bounty_id, claimant_id)
        self._writes.accept(
            req,
            resp,
            kind=holding.PAY,
            owner=keeping.account_of(bounty_id),
            takes=False,
            payload={
                **body,
                "bounty_id": str(bounty_id),
                "user_id": str(claimant_id),
            },
        )


class Rejections:
    """POST /api/bounties/{id}/claims/{user}/rejection."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes(
        {200: BountyClaim},
        refuses=["no_such_bounty", "no_such_claim", "not_your_bounty", "claim_paid"],
    )
    def on_post(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        bounty_id: UUID,
        claimant_id: UUID,
    ) -> None:
        """Reject a claim, so that another may have its place."""
        media.read_body(req)
        now, judge = datetime.now(UTC), principal_of(req).id
        with self._sessions.begin() as session:
            found = claiming.reject(
                session, bounty_id, claimant_id, judge=judge, now=now
            )
            about = {"user": str(claimant_id)}
            subject = f"bounty:{bounty_id}"
            note(req, session, Action.BOUNTY_CLAIM_REJECTED, subject, **about)
        resp.media = claiming.describe(found)


class Closings:
    """POST /api/bounties/{id}/close."""

    def __init__(self, writes: Writes, sessions: sessionmaker[Session]) -> None:
        self._writes = writes
        self._sessions = sessions
        self._schema = DecisionBody()

    @describes_write(
        DecisionBody,
        BountyClosed,
        refuses=["no_such_bounty", "not_your_bounty", "claims_pending"],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, bounty_id: UUID
    ) -> None:
        """Accept that a bounty ends, and what is left goes back to its creator."""
        body = media.load(self._schema, media.read_json(req))
        with self._sessions() as session:
            _require_judge(req, session, bounty_id)
        self._writes.accept(
            req,
            resp,
            kind=holding.CLOSE,
            owner=keeping.account_of(bounty_id),
            takes=False,
            payload={**body, "bounty_id": str(bounty_id)},
        )


def _require_judge(req: falcon.Request, session: Session, bounty_id: UUID) -> None:
    """Raise NotYourBounty unless who asks decides on a bounty."""
    bounty, judge = keeping.find(session, bounty_id).row, principal_of(req).id
    keeping.require_judge(session, bounty, judge, now=datetime.now(UTC))
