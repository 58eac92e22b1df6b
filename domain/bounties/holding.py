"""What bounties do to the ledger: credits are held, paid out, and returned.

Each bounty has an account of its own, `@bounty:` and its id, which no caller can name
and which cannot sink below zero. Until the bounty is closed its balance is the reward
of every place not paid; then it is zero. What is done to one is done in one lane.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.audit_events import Action
from domain.bounties import claiming, keeping
from domain.bounties.claiming import BountyClosed, ClaimRejected
from domain.bounties.keeping import NoSuchBounty, Standing, account_of
from domain.bounties.record import Bounty
from domain.errors import Conflict, DomainError, Invalid
from domain.governance.record import NoSuchProposal, Proposal
from domain.ids import derived_id, uuid7
from domain.jobs import Claim, NewJob, Outcome
from domain.ledger import (
    Batch,
    Decision,
    Posting,
    balance,
    lane_of,
    post,
    transfer_posting,
)
from domain.ledger.writes import origin_of, outcome
from domain.principals import PEOPLES_APPLICATION
from domain.telling import tell

CREATE: Final = "ledger.create_bounty"
PAY: Final = "ledger.pay_bounty"
CLOSE: Final = "ledger.close_bounty"


class ExpiresTooEarly(Invalid):
    """A bounty can be claimed for a while; choose a later time."""

    code = "expires_too_early"


class ClaimsPending(Conflict):
    """Claims wait to be accepted or rejected."""

    code = "claims_pending"


def create(
    session: Session, claims: Sequence[Claim], *, lane: int, now: datetime
) -> list[Outcome]:
    """Hold the credits of new bounties, and store these; a bounty's id is its job's."""
    asked = {claim.payload["proposal_id"] for claim in claims} - {None}
    wanted = sa.select(Proposal.id).where(Proposal.id.in_(map(UUID, asked)))
    known = {str(one) for one in session.scalars(wanted)} | {None}

    def posting(claim: Claim) -> Posting | DomainError:
        payload = claim.payload
        if payload["proposal_id"] not in known:
            return NoSuchProposal()
        if datetime.fromisoformat(payload["expires_at"]) <= now:
            return ExpiresTooEarly()
        return transfer_posting(
            origin_of(claim, lane),
            source=payload["creator"],
            target=account_of(claim.id),
            amount=payload["reward"] * payload["participants_max"],
            nonce=payload["nonce"],
            metadata={"bounty_id": str(claim.id)},
        )

    decided = _post(session, [posting(claim) for claim in claims], now=now)
    return [
        _created(session, claim, decision, now=now)
        for claim, decision in zip(claims, decided, strict=True)
    ]


def _created(
    session: Session, claim: Claim, decision: Decision, *, now: datetime
) -> Outcome:
    told = outcome(claim, decision)
    if isinstance(decision, DomainError):
        return told
    payload = claim.payload
    row = Bounty(
        id=claim.id,
        creator=UUID(payload["creator"]),
        proposal_id=payload["proposal_id"] and UUID(payload["proposal_id"]),
        title=payload["title"],
        description=payload["description"],
        reward=payload["reward"],
        participants_max=payload["participants_max"],
        expires_at=datetime.fromisoformat(payload["expires_at"]),
        created_at=now,
        held_by=decision.transfer.id,
    )
    session.add(row)
    session.flush()
    _note(session, claim, Action.BOUNTY_CREATED, row, now=now)
    return Outcome(
        claim.id, result={"bounty": Standing(row, 0, 0).describe(now), **told.result}
    )


def pay(
    session: Session, claims: Sequence[Claim], *, lane: int, now: datetime
) -> list[Outcome]:
    """Pay those whose claims are accepted, each exactly once.

    The transfer's id follows from the bounty and the person: whoever accepts again, by
    whatever nonce, is shown the same transfer.
    """
    _lock(session, claims)

    def posting(claim: Claim) -> Posting | DomainError:
        bounty_id, person = _named(claim)
        try:
            standing = keeping.find(session, bounty_id)
            found = claiming.find(session, bounty_id, person)
        except DomainError as error:
            return error
        if found.rejected_at is not None:
            return ClaimRejected()
        if standing.row.closed_at is not None and found.paid_at is None:
            return BountyClosed()
        return _out(claim, lane, person, standing.row.reward, f"to {person}")

    decided = _post(session, [posting(claim) for claim in claims], now=now)
    return [
        _paid(session, claim, decision, now=now)
        for claim, decision in zip(claims, decided, strict=True)
    ]


def _paid(
    session: Session, claim: Claim, decision: Decision, *, now: datetime
) -> Outcome:
    told = outcome(claim, decision)
    if isinstance(decision, DomainError):
        return told
    bounty_id, person = _named(claim)
    found = claiming.find(session, bounty_id, person)
    if found.paid_at is None:
        found.paid_at, found.paid_by = now, decision.transfer.id
        session.flush()
        row = session.get_one(Bounty, bounty_id)
        _note(session, claim, Action.BOUNTY_PAID, row, now=now, user=str(person))
    return Outcome(claim.id, result={"claim": claiming.describe(found), **told.result})


def close(
    session: Session, claims: Sequence[Claim], *, lane: int, now: datetime
) -> list[Outcome]:
    """Close bounties and return what is left of them, each exactly once."""
    _lock(session, claims)

    due = _due(session, claims, now=now)
    postings = {
        claim.id: _out(claim, lane, row.creator, left, "back")
        for claim, row, left in due
        if left
    }
    decided = _post(session, list(postings.values()), now=now)
    returned = dict(zip(postings, decided, strict=True))
    for claim, row, left in due:
        _end(session, claim, row, returned.get(claim.id), left=left, now=now)
    return [_closed(session, claim, now=now) for claim in claims]


def closing(row: Bounty, *, lanes: int, deadline: timedelta, now: datetime) -> NewJob:
    """Return the job that closes a bounty whose time is over; one a day at most."""
    account = account_of(row.id)
    told = {"bounty_id": str(row.id), "nonce": account, "overdue": True}
    return NewJob(
        id=uuid7(),
        kind=CLOSE,
        queue=CLOSE.partition(".")[0],
        lane=lane_of(PEOPLES_APPLICATION, account, lanes),
        payload=json.dumps(told),
        submitted_at=now,
        deadline=now + deadline,
        application=PEOPLES_APPLICATION,
        principal=row.creator,
        idempotency=derived_id("overdue", row.id, now.date()),
        digest=derived_id(CLOSE, row.id),
    )


def _due(
    session: Session, claims: Sequence[Claim], *, now: datetime
) -> list[tuple[Claim, Bounty, int]]:
    """Return the bounties that can be closed, each once, and what is left of them."""
    first = {UUID(claim.payload["bounty_id"]): claim for claim in reversed(claims)}
    found = []
    for bounty_id, claim in sorted(first.items()):
        try:
            standing = keeping.find(session, bounty_id)
        except NoSuchBounty:
            continue
        if standing.row.closed_at is None and standing.may_close(now):
            application, account = (
                origin_of(claim, 0).application,
                account_of(bounty_id),
            )
            left = balance(session, application=application, owner=account).balance
            found.append((claim, standing.row, left))
    return found


def _end(  # noqa: PLR0913  what is known of the end
    session: Session,
    claim: Claim,
    row: Bounty,
    decision: Decision | None,
    *,
    left: int,
    now: datetime,
) -> None:
    if isinstance(decision, DomainError):
        # Nothing else debits this account, and it has what was just read.
        raise decision
    row.closed_at = now
    row.refunded_by = decision and decision.transfer.id
    session.flush()
    _note(session, claim, Action.BOUNTY_CLOSED, row, now=now, returned=left)


def _closed(session: Session, claim: Claim, *, now: datetime) -> Outcome:
    try:
        standing = keeping.find(session, UUID(claim.payload["bounty_id"]))
    except NoSuchBounty as error:
        return Outcome(claim.id, refusal=error)
    if standing.row.closed_at is None:
        return Outcome(claim.id, refusal=ClaimsPending())
    return Outcome(claim.id, result={"bounty": standing.describe(now)})


def _out(claim: Claim, lane: int, person: UUID, amount: int, what: str) -> Posting:
    """Return the posting of what leaves a bounty's account, which happens once."""
    bounty_id = UUID(claim.payload["bounty_id"])
    posting = transfer_posting(
        origin_of(claim, lane),
        source=account_of(bounty_id),
        target=str(person),
        amount=amount,
        nonce=claim.payload["nonce"],
        metadata={"bounty_id": str(bounty_id)},
    )
    return replace(posting, id=derived_id("bounty", bounty_id, what))


def _post(
    session: Session, postings: Sequence[Posting | DomainError], *, now: datetime
) -> list[Decision]:
    batches = [Batch([posting]) for posting in postings]
    return [decisions[0] for decisions in post(session, batches, now=now)]


def _lock(session: Session, claims: Sequence[Claim]) -> None:
    """Lock the bounties before any account, in the order of their ids."""
    ids = {UUID(claim.payload["bounty_id"]) for claim in claims}
    rows = sa.select(Bounty.id).where(Bounty.id.in_(ids)).order_by(Bounty.id)
    session.execute(rows.with_for_update())


def _named(claim: Claim) -> tuple[UUID, UUID]:
    return UUID(claim.payload["bounty_id"]), UUID(claim.payload["user_id"])


def _note(
    session: Session,
    claim: Claim,
    action: Action,
    row: Bounty,
    *,
    now: datetime,
    **details: Any,
) -> None:
    tell(
        session,
        action=action,
        application=claim.application,
        # Nobody, when its time was over.
        actor=None if claim.payload.get("overdue") else claim.principal,
        subject=f"bounty:{row.id}",
        details=details,
        request_id=claim.request_id,
        now=now,
    )
