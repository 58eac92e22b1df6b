"""Conflicts of interest: who has one says so before the close, and may but abstain."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.governance import cases
from domain.governance.freezing import freeze
from domain.governance.lifecycle import State
from domain.governance.refusals import AlreadyVoted, NotAnElector
from domain.governance.voting_record import (
    ConflictOfInterest,
    Elector,
    OpenBallot,
    Participation,
)

_BEFORE_THE_CLOSE: Final = frozenset({State.DISCUSSION, State.FROZEN, State.VOTING})


def declare(
    session: Session, proposal_id: UUID, *, voter: UUID, reason: str, now: datetime
) -> ConflictOfInterest:
    """Write down that somebody has an interest of their own; the first time counts.

    Who has voted otherwise first casts an abstention, where a ballot may be replaced.
    """
    # No ballot is cast meanwhile: that locks the proposal, too.
    case = cases.find(session, proposal_id, lock=True)
    case.require(_BEFORE_THE_CLOSE, now)
    if found := session.get(ConflictOfInterest, (proposal_id, voter)):
        return found
    if case.state(now) is State.VOTING:
        freeze(session, case, now=now)
        if session.get(Elector, (proposal_id, voter)) is None:
            raise NotAnElector
        if _has_taken_sides(session, proposal_id, voter):
            raise AlreadyVoted("You have voted on this; abstain first, where you may.")
    made = ConflictOfInterest(
        proposal_id=proposal_id, voter_id=voter, reason=reason, at=now
    )
    session.add(made)
    session.flush()
    return made


def is_abstention(ballot: Any) -> bool:
    """Say whether a ballot takes no side: it abstains, or is blank."""
    return not ballot or ballot == "abstain"


def _has_taken_sides(session: Session, proposal_id: UUID, voter: UUID) -> bool:
    """Say whether somebody's ballot is more than an abstention; a secret one may be."""
    if session.get(Participation, (proposal_id, voter)) is None:
        return False
    newest = session.execute(
        sa.select(OpenBallot.ballot)
        .where(OpenBallot.proposal_id == proposal_id, OpenBallot.voter_id == voter)
        .order_by(OpenBallot.sequence.desc())
        .limit(1)
    ).first()
    return newest is None or not is_abstention(newest.ballot)
