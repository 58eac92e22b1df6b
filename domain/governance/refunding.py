"""Refunding: what votes cost goes back to their voters when a proposal is cancelled.

A row for each voter says how much came back, stored with its transfer: whatever is
killed or runs twice, nobody is owed anything afterwards, nor given it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, takewhile
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import audit_events
from domain.apps import TRANSFER
from domain.audit_events import Action
from domain.governance.cases import find, happen
from domain.governance.lifecycle import Event
from domain.governance.purse import gather, purse_of, shards
from domain.governance.spending import account_of
from domain.governance.voting_record import VoteSpending
from domain.ids import derived_id
from domain.ledger import TREASURY, AccountKey, Batch, Posted, Posting, accounts, post
from domain.principals import PEOPLES_APPLICATION

REFUND: Final = "governance.refund"


@dataclass(frozen=True, slots=True)
class _Owed:
    """What a voter has paid for votes that are not counted any more."""

    voter: UUID
    season: str
    credits: int


_DUE: Final = sa.text("""
    SELECT e.proposal_id FROM proposal_events e
    WHERE e.kind = 'cancelled'
      AND EXISTS (SELECT FROM vote_spendings s WHERE s.proposal_id = e.proposal_id)
      AND NOT EXISTS (SELECT FROM proposal_events r
                      WHERE r.proposal_id = e.proposal_id AND r.kind = 'refunded')
    ORDER BY e.proposal_id LIMIT 1
""")


def refund(
    session: Session, *, lane: int, job_id: UUID, count: int, now: datetime
) -> int:
    """Give credits back to up to `count` voters of one cancelled proposal.

    Returns to how many. What the treasury cannot pay now is left to the next time.
    """
    proposal_id = session.scalar(_DUE)
    if proposal_id is None:
        return 0
    # Of two who are about to pay, the second finds it done.
    case = find(session, proposal_id, lock=True)
    if Event.REFUNDED in case.events:
        return 0
    owed = _owed(session, proposal_id, count)
    paid = _pay(session, proposal_id, owed, purse_of(lane), job_id=job_id, now=now)
    if paid == len(owed) < count:
        happen(session, proposal_id, Event.REFUNDED, now=now)
        _note(session, proposal_id, now)
    return paid


def _owed(session: Session, proposal_id: UUID, count: int) -> list[_Owed]:
    total = sa.func.sum(VoteSpending.credits)
    rows = session.execute(
        sa.select(VoteSpending.voter_id, VoteSpending.season, total)
        .where(VoteSpending.proposal_id == proposal_id)
        .group_by(VoteSpending.voter_id, VoteSpending.season)
        .having(total > 0)
        .order_by(VoteSpending.voter_id)
        .limit(count)
    )
    return [_Owed(voter, season, int(credits_)) for voter, season, credits_ in rows]


def _pay(  # noqa: PLR0913  what a payment consists of
    session: Session,
    proposal_id: UUID,
    owed: Sequence[_Owed],
    purse: AccountKey,
    *,
    job_id: UUID,
    now: datetime,
) -> int:
    """Pay as many as the treasury can, and return how many these are."""
    keys = {purse, *shards(session), *(account_of(one.voter) for one in owed)}
    locked = accounts.lock(session, keys, now=now)
    held = {key: one.balance for key, one in locked.items() if key.owner == TREASURY}
    sums = accumulate(one.credits for one in owed)
    affordable = list(takewhile(lambda total: total <= sum(held.values()), sums))
    if not affordable:
        return 0
    paid = owed[: len(affordable)]
    within = [
        _posting(proposal_id, job_id, shard, purse, moved)
        for shard, moved in gather(held, purse, affordable[-1])
    ]
    out = [
        _posting(proposal_id, job_id, purse, account_of(one.voter), one.credits)
        for one in paid
    ]
    (decisions,) = post(session, [Batch([*within, *out], atomic=True)], now=now)
    for decision in decisions:
        if not isinstance(decision, Posted) or decision.replayed:
            raise RuntimeError(f"votes could not be paid back: {decision}")
    rows = [
        _row(proposal_id, one, posting) for one, posting in zip(paid, out, strict=True)
    ]
    session.execute(sa.insert(VoteSpending), rows)
    return len(paid)


def _posting(
    proposal_id: UUID, job_id: UUID, debit: AccountKey, credit: AccountKey, amount: int
) -> Posting:
    # To a voter there is one; within the treasury one a shard for each job.
    within = credit.owner == TREASURY
    name = (job_id, debit.shard) if within else (proposal_id, credit.owner)
    return Posting(
        id=derived_id("governance.refund", *name),
        job_id=job_id,
        operation=TRANSFER,
        debit=debit,
        credit=credit,
        amount=amount,
        nonce=":".join(map(str, ("refund", *name))),
        subject=credit,
        metadata={"proposal_id": str(proposal_id)},
    )


def _row(proposal_id: UUID, owed: _Owed, posting: Posting) -> dict[str, Any]:
    return {
        "transfer_id": posting.id,
        "proposal_id": proposal_id,
        "voter_id": owed.voter,
        "season": owed.season,
        "credits": -owed.credits,
    }


def _note(session: Session, proposal_id: UUID, now: datetime) -> None:
    audit_events.record(
        session,
        action=Action.PROPOSAL_REFUNDED,
        application=PEOPLES_APPLICATION,
        actor=None,
        subject=f"proposal:{proposal_id}",
        details={},
        request_id=None,
        now=now,
    )
