"""Claims: who says to have done it, and whether the creator agrees."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.bounties import keeping
from domain.bounties.keeping import State
from domain.bounties.record import BountyClaim
from domain.errors import Conflict, NotFound
from domain.pages import Page, Position, newest_first


class NoSuchClaim(NotFound):
    """This person has not claimed the bounty."""

    code = "no_such_claim"


class BountyClosed(Conflict):
    """The time for this is over."""

    code = "bounty_closed"


class BountyFull(Conflict):
    """As many have claimed the bounty as there are rewards."""

    code = "bounty_full"


class OwnBounty(Conflict):
    """Who created a bounty does not claim it."""

    code = "own_bounty"


class ClaimedBefore(Conflict):
    """A person claims a bounty once, even if that was rejected."""

    code = "claimed_before"


class ClaimRejected(Conflict):
    """This claim was rejected."""

    code = "claim_rejected"


class ClaimPaid(Conflict):
    """This claim was paid."""

    code = "claim_paid"


def claim(
    session: Session, bounty_id: UUID, *, person: UUID, proof: str, now: datetime
) -> BountyClaim:
    """Claim a bounty that is open, with what shows that it was done."""
    standing = keeping.lock(session, bounty_id)
    if standing.row.creator == person:
        raise OwnBounty
    if session.get(BountyClaim, (bounty_id, person)) is not None:
        raise ClaimedBefore
    state = standing.state(now)
    if state in {State.CLOSED, State.EXPIRED}:
        raise BountyClosed
    if state is State.FULL:
        raise BountyFull
    made = BountyClaim(bounty_id=bounty_id, user_id=person, proof=proof, at=now)
    session.add(made)
    session.flush()
    return made


def reject(
    session: Session, bounty_id: UUID, claimant: UUID, *, judge: UUID, now: datetime
) -> BountyClaim:
    """Reject a claim, so that another may have its place."""
    standing = keeping.lock(session, bounty_id)
    keeping.require_judge(session, standing.row, judge, now=now)
    found = find(session, bounty_id, claimant)
    if found.paid_at is not None:
        raise ClaimPaid
    if found.rejected_at is None:
        found.rejected_at = now
        session.flush()
    return found


def find(session: Session, bounty_id: UUID, claimant: UUID) -> BountyClaim:
    """Return a claim as it is now, or raise NoSuchClaim."""
    found = session.get(BountyClaim, (bounty_id, claimant), populate_existing=True)
    if found is None:
        raise NoSuchClaim
    return found


def page(
    session: Session, bounty_id: UUID, *, start: Position | None, limit: int
) -> Page[Any]:
    """Return the claims to a bounty, those of the newest members first."""
    return newest_first(
        session,
        sa.select(BountyClaim).where(BountyClaim.bounty_id == bounty_id),
        column=BountyClaim.user_id,  # type: ignore[arg-type]
        key=lambda row: row.BountyClaim.user_id,
        start=start,
        limit=limit,
    )


def describe(row: BountyClaim) -> dict[str, Any]:
    """Return a claim as JSON shows it."""
    state = "claimed" if row.rejected_at is None else "rejected"
    return {
        "bounty_id": str(row.bounty_id),
        "user_id": str(row.user_id),
        "proof": row.proof,
        "state": state if row.paid_at is None else "paid",
        "at": row.at.isoformat(),
        "rejected_at": row.rejected_at and row.rejected_at.isoformat(),
        "paid_at": row.paid_at and row.paid_at.isoformat(),
        "paid_by": row.paid_by and str(row.paid_by),
    }
