"""Ballots on the wire: accepted as jobs, secret ones sealed before they are stored."""

import hmac
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

import tasks
from api import media
from api.audit import note
from api.errors import Unprocessable
from api.governance.voting_bodies import BallotBody, ConflictBody
from api.openapi.describing import describes, describes_item, describes_write
from api.permissions import principal_of
from api.shapes.voting import CastBallot, Conflict, OwnVote
from api.signatures import REFUSES_UNSIGNED, Signatures
from api.submissions import Draft, Submissions, idempotency_key
from api.together import Together
from domain.audit_events import Action
from domain.governance import conflicts, own_votes
from domain.governance.casting import CAST, CAST_SECRET
from domain.governance.lanes import lane_of
from domain.governance.secrecy import Secrecy, secrecy_of
from domain.settings import Settings

_KNOWN_MAX: Final = 10_000


class KnownSecrecy:
    """Which votes are secret, and how long their ballots; kept once that is settled."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._known: dict[UUID, Secrecy] = {}
        # When a vote opens, all who vote ask at once.
        self._together = Together[Secrecy]()

    def of(self, proposal_id: UUID) -> Secrecy:
        """Return how ballots on a proposal are sealed, or raise NoSuchProposal."""
        known = self._known.get(proposal_id)
        if known is not None:
            return known
        return self._together(proposal_id, lambda: self._look(proposal_id))

    def _look(self, proposal_id: UUID) -> Secrecy:
        with self._sessions() as session:
            found = secrecy_of(session, proposal_id, now=datetime.now(UTC))
        if found.settled:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[proposal_id] = found
        return found


class Ballots:
    """POST /api/governance/proposals/{id}/ballots."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        submissions: Submissions,
        settings: Settings,
        signatures: Signatures,
    ) -> None:
        self._secrecy = KnownSecrecy(sessions)
        self._signatures = signatures
        self._submissions = submissions
        self._secret = settings.token_secret
        self._lanes = settings.ledger_lanes
        self._schema = BallotBody()

    @describes_write(
        BallotBody,
        CastBallot,
        refuses=[
            *("no_such_proposal", "not_an_elector", "voting_not_open"),
            *("voting_closed", "already_voted", "bad_ballot", "conflict_of_interest"),
            *("insufficient_credits", "season_budget_spent", *REFUSES_UNSIGNED),
        ],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Accept a ballot; it counts by when it is accepted."""
        body = media.load(self._schema, media.read_json(req))
        key = idempotency_key(req, body.get("nonce"))
        if key is None:
            raise Unprocessable(
                [{"pointer": "/nonce", "detail": "Send a nonce or Idempotency-Key."}]
            )
        secrecy = self._secrecy.of(proposal_id)
        if secrecy.paid:
            self._signatures.require(req, [str(principal_of(req).id)])
        if secrecy.sealed and "rationale" in body:
            detail = "A secret ballot comes without reasons: they might tell whose."
            raise Unprocessable([{"pointer": "/rationale", "detail": detail}])
        told = {"proposal_id": str(proposal_id)}
        payload = {**body, **told, "nonce": key}
        if secrecy.sealed:
            sealed = tasks.seal(
                body["choice"],
                secret=self._secret,
                proposal_id=proposal_id,
                voter=principal_of(req).id,
                longest=secrecy.longest,
            )
            payload = {**told, "sealed": sealed}
        draft = Draft(
            kind=CAST_SECRET if secrecy.sealed else CAST,
            lane=lane_of(proposal_id, self._lanes),
            payload=payload,
            key=self._keyed(key),
            family="governance.ballots",
            # Were the choice in it, the same nonce again would find out what was cast:
            # for a buyer of votes, and for who reads the job's digest.
            known_by=told if secrecy.sealed else None,
        )
        self._submissions.accept(req, resp, draft)

    def _keyed(self, nonce: str) -> str:
        """Return a key for a nonce that cannot be tried out without the secret.

        Some clients derive their nonces from what they send.
        """
        key = self._secret.encode()
        return hmac.digest(key, b"ballot's nonce\0" + nonce.encode(), "sha256").hex()


class OwnBallots:
    """GET /api/governance/proposals/{id}/ballots/mine."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_item(OwnVote, refuses=["no_such_proposal"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Show whether you have voted, how where it is open, or who carries it."""
        voter = principal_of(req).id
        with self._sessions() as session:
            shown = own_votes.describe(session, proposal_id, voter=voter)
        media.show(req, resp, shown)


class Conflicts:
    """POST /api/governance/proposals/{id}/conflicts."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = ConflictBody()

    @describes(
        {201: Conflict},
        body=ConflictBody,
        refuses=["no_such_proposal", "wrong_state", "not_an_elector", "already_voted"],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Declare an interest of your own: from then on you may but abstain."""
        body = media.load(self._schema, media.read_json(req))
        with self._sessions.begin() as session:
            made = conflicts.declare(
                session,
                proposal_id,
                voter=principal_of(req).id,
                reason=body["reason"],
                now=datetime.now(UTC),
            )
            subject = f"proposal:{proposal_id}"
            note(req, session, Action.CONFLICT_DECLARED, subject)
        resp.status = falcon.HTTP_201
        resp.media = own_votes.describe_conflict(made)
