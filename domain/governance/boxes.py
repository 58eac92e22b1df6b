"""Ballot boxes: what is known of a vote while a batch of its ballots is looked at."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import tally
from domain.audit_events import Action, record
from domain.governance.ballot_parts import begun
from domain.governance.cases import Case, cases, happen
from domain.governance.conflicts import is_abstention
from domain.governance.freezing import election_of, freeze
from domain.governance.lifecycle import Event, Facts, Timeline, timeline
from domain.governance.parameters import BadParameters
from domain.governance.record import Freeze, WrongState
from domain.governance.refusals import (
    AlreadyVoted,
    BadBallot,
    ConflictOfInterest,
    NotAnElector,
    VotingClosed,
    VotingNotOpen,
)
from domain.governance.turning_points import TurningPoints
from domain.jobs import Claim
from domain.principals import PEOPLES_APPLICATION
from domain.tally import Election

CAST: Final = "governance.cast"
CAST_SECRET: Final = "governance.cast_secret"  # noqa: S105  a name
_RECEIPT_BYTES: Final = 16


@dataclass(slots=True)
class Standing:
    """An elector: what their vote weighs, and what they have done so far."""

    weight: int
    voted: bool
    conflicted: bool
    sequence: int


@dataclass
class Box:
    """One proposal's ballots of a batch, on the way into its tables."""

    case: Case
    frozen: Freeze | None
    election: Election | None
    electors: Mapping[UUID, Standing]
    points: TurningPoints | None
    times: Timeline | None
    counting: bool
    happened: dict[Event, datetime] = field(default_factory=dict)
    participations: list[UUID] = field(default_factory=list)
    ballots: list[dict[str, Any]] = field(default_factory=list)
    secret_ballots: list[dict[str, Any]] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)

    def examine(self, claim: Claim) -> tuple[UUID, Any]:
        """Return voter and ballot of a claim, or raise why it is not taken."""
        voter = claim.principal
        self._require_open(claim)
        elector = None if voter is None else self.electors.get(voter)
        if voter is None or elector is None:
            raise NotAnElector
        if elector.voted and not self.case.parameters.replaceable:
            raise AlreadyVoted
        ballot = self._read(claim)
        if elector.conflicted and not is_abstention(ballot):
            raise ConflictOfInterest
        return voter, ballot

    def _require_open(self, claim: Claim) -> None:
        if {Event.CANCELLED, Event.TALLIED} & self.case.events.keys():
            raise VotingClosed
        if self.times is None or claim.submitted_at < self.times.voting:
            raise VotingNotOpen
        if self.counting:
            raise VotingClosed("The ballots of this vote are being counted already.")
        if claim.submitted_at >= self.times.closes:
            raise VotingClosed

    def _read(self, claim: Claim) -> Any:
        sealed = claim.kind == CAST_SECRET
        if self.election is None:
            raise BadBallot("There is nothing to choose from in this vote.")
        if sealed != self.case.parameters.secret or "choice" not in claim.payload:
            raise BadBallot("This ballot cannot be read any more; cast it again.")
        try:
            method = tally.METHODS[self.election.method]
            return method.read(claim.payload["choice"], self.election)
        except tally.BadBallot as fault:
            raise BadBallot(str(fault)) from None

    def put(
        self, session: Session, claim: Claim, voter: UUID, ballot: Any
    ) -> dict[str, Any]:
        """Put a ballot in, and return what its voter is told."""
        elector = self.electors[voter]
        if not elector.voted:
            elector.voted = True
            self._look(session, claim, voter, ballot)
            self.participations.append(voter)
        told = {
            "proposal_id": str(self.case.row.id),
            "definition_sha256": self.frozen and self.frozen.sha256,
        }
        if self.case.parameters.secret:
            kept = {"key": uuid4().hex, "ballot": json.dumps(ballot)}
            self.secret_ballots.append(kept)
            self.receipts.append(secrets.token_hex(_RECEIPT_BYTES))
            return {**told, "receipt": self.receipts[-1]}
        elector.sequence += 1
        self.ballots.append(
            {
                "voter_id": voter.hex,
                "sequence": elector.sequence,
                "ballot": json.dumps(ballot),
                "rationale": claim.payload.get("rationale"),
                "cast_at": claim.submitted_at.isoformat(),
                "job_id": claim.id.hex,
            }
        )
        return {**told, "sequence": elector.sequence, "weight": elector.weight}

    def _look(self, session: Session, claim: Claim, voter: UUID, ballot: Any) -> None:
        """Write down what comes about with a voter's first ballot."""
        if self.points is None or self.times is None:
            return
        at, weight = claim.submitted_at, self.electors[voter].weight
        closes = self.times.closes
        found = self.points.look(voter, ballot, weight=weight, at=at, closes=closes)
        # To the second it would be known of somebody that this is when they voted.
        told = _to_the_minute(at) if self.case.parameters.secret else at
        for kind in list(found):
            happen(session, self.case.row.id, kind, now=told)
            self.happened[kind] = told
            facts = Facts({**self.case.facts.events, **self.happened})
            self.times = timeline(facts, self.case.parameters)
            self._note_close(session, kind)

    def _note_close(self, session: Session, kind: Event) -> None:
        """Record that the close has moved, if it has."""
        before, after = self.case.timeline, self.times
        if before is None or after is None or before.closes == after.closes:
            return
        record(
            session,
            action=Action.PROPOSAL_CLOSE_MOVED,
            application=PEOPLES_APPLICATION,
            actor=None,
            subject=f"proposal:{self.case.row.id}",
            details={"because": kind, "closes_at": after.closes.isoformat()},
            request_id=None,
            now=self.happened[kind],
        )


def _to_the_minute(at: datetime) -> datetime:
    """Return the end of the minute: nobody who came before it is shut out by that."""
    whole = at.replace(second=0, microsecond=0)
    return whole if whole == at else whole + timedelta(minutes=1)


def open_boxes(
    session: Session, claims: Sequence[Claim], *, now: datetime
) -> dict[UUID, Box]:
    """Lock the proposals of these claims, and return what is known of each."""
    latest: dict[UUID, datetime] = {}
    for claim in claims:
        proposal_id = proposal_of(claim)
        latest[proposal_id] = max(
            latest.get(proposal_id, claim.submitted_at), claim.submitted_at
        )
    found = cases(session, sorted(latest), lock=True)
    frozen = {
        proposal_id: _frozen(session, case, now=max(now, latest[proposal_id]))
        for proposal_id, case in found.items()
    }
    electors = _electors(session, claims)
    counting = begun(session, sorted(found))
    return {
        proposal_id: Box(
            case,
            frozen[proposal_id],
            election,
            electors.get(proposal_id, {}),
            None if election is None else TurningPoints(session, case, election),
            case.timeline,
            proposal_id in counting,
        )
        for proposal_id, case in found.items()
        for election in [_election(frozen[proposal_id])]
    }


def proposal_of(claim: Claim) -> UUID:
    """Return the proposal that a ballot is for."""
    return UUID(claim.payload["proposal_id"])


def _frozen(session: Session, case: Case, *, now: datetime) -> Freeze | None:
    """Return what was fixed, now when it is time; None for nothing yet."""
    try:
        return freeze(session, case, now=now)
    except (BadParameters, WrongState):
        return None


def _election(frozen: Freeze | None) -> Election | None:
    """Return what is counted; None where nothing can be."""
    try:
        return None if frozen is None else election_of(frozen)
    except BadParameters:
        return None


_ELECTORS: Final = sa.text("""
    SELECT e.proposal_id, e.voter_id, e.weight,
           EXISTS (SELECT FROM participations p
                   WHERE p.proposal_id = e.proposal_id
                     AND p.voter_id = e.voter_id) AS voted,
           EXISTS (SELECT FROM conflicts_of_interest c
                   WHERE c.proposal_id = e.proposal_id
                     AND c.voter_id = e.voter_id) AS conflicted,
           coalesce((SELECT max(sequence) FROM ballots b
                     WHERE b.proposal_id = e.proposal_id
                       AND b.voter_id = e.voter_id), 0) AS sequence
    FROM unnest(CAST(:proposals AS uuid[]), CAST(:voters AS uuid[]))
        AS wanted(proposal_id, voter_id)
    JOIN electors e USING (proposal_id, voter_id)
""")


def _electors(
    session: Session, claims: Sequence[Claim]
) -> dict[UUID, dict[UUID, Standing]]:
    pairs = {(proposal_of(one), one.principal) for one in claims if one.principal}
    bound = {
        "proposals": _array(proposal_id for proposal_id, _ in pairs),
        "voters": _array(voter for _, voter in pairs),
    }
    found: dict[UUID, dict[UUID, Standing]] = {}
    for proposal_id, voter, *rest in session.execute(_ELECTORS, bound):
        found.setdefault(proposal_id, {})[voter] = Standing(*rest)
    return found


def _array(ids: Iterable[UUID | None]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"
