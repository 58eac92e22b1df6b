"""Spending: credits go from the treasury to a member, and never more than it has.

Each lane has a shard of the treasury of its own, and none may go below zero: what one
of them lacks comes from the others first.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from domain.apps import TRANSFER
from domain.errors import DomainError
from domain.governance import deeds
from domain.governance.cases import Case
from domain.governance.purse import gather, purse_of, require, shards
from domain.ids import derived_id
from domain.ledger import (
    TREASURY,
    AccountKey,
    Batch,
    Posted,
    Posting,
    balance,
    post,
)
from domain.ledger.accounts import lock
from domain.ledger.postings import OWNER_SHARD
from domain.principals import PEOPLES_APPLICATION


def spend(
    session: Session, case: Case, /, *, lane: int, job_id: UUID, now: datetime
) -> dict[str, Any]:
    """Post a spend's one transfer; its id follows from the proposal's."""
    wanted = deeds.read_spend(case.details)
    deeds.require_member(session, wanted)
    member = AccountKey(PEOPLES_APPLICATION, str(wanted.to), OWNER_SHARD)
    purse = purse_of(lane)
    # All at once, and so in the order in which everybody locks.
    standings = lock(session, {member, purse, *shards(session)}, now=now)
    held = {
        key: standing.balance
        for key, standing in standings.items()
        if key.owner == TREASURY
    }
    require(sum(held.values()), wanted.amount)
    postings = [
        *(
            _posting(case.row.id, shard, purse, moved, job_id)
            for shard, moved in gather(held, purse, wanted.amount)
        ),
        _posting(case.row.id, purse, member, wanted.amount, job_id),
    ]
    done = _post(session, postings, now=now)[-1]
    return {
        "transfer_id": str(done.transfer.id),
        "to": str(wanted.to),
        "amount": wanted.amount,
    }


def require_funds(session: Session, amount: int) -> None:
    """Raise InsufficientCredits unless the treasury has so much at this moment."""
    found = balance(session, application=PEOPLES_APPLICATION, owner=TREASURY)
    require(found.balance, amount)


def _posting(
    proposal_id: UUID, debit: AccountKey, credit: AccountKey, amount: int, job_id: UUID
) -> Posting:
    # To a member there is one, whatever shard it comes from; within, one a shard.
    within = [debit.shard] if credit.owner == TREASURY else []
    return Posting(
        id=derived_id(_SPEND, proposal_id, *within),
        job_id=job_id,
        operation=TRANSFER,
        debit=debit,
        credit=credit,
        amount=amount,
        nonce="/".join(map(str, (_SPEND, proposal_id, *within))),
        subject=credit,
        metadata={"proposal_id": str(proposal_id)},
    )


_SPEND: Final = "governance/spend"


def _post(
    session: Session, postings: Sequence[Posting], *, now: datetime
) -> list[Posted]:
    (decisions,) = post(session, [Batch(postings, atomic=True)], now=now)
    for decision in decisions:
        if isinstance(decision, DomainError):
            raise decision
    return [decision for decision in decisions if isinstance(decision, Posted)]
