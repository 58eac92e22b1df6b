"""Vetoes: a guardian stops what has passed before it is carried out, and says why."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from domain import roles
from domain.errors import Conflict, Forbidden
from domain.governance.cases import Case, find, happen
from domain.governance.lifecycle import Event, State

GUARDIAN = "guardian"


class NoVeto(Conflict):
    """Nobody has a veto on proposals of this type."""

    code = "no_veto"


def veto(
    session: Session, proposal_id: UUID, *, actor: UUID, reason: str, now: datetime
) -> Case:
    """Stop a proposal that waits to be carried out, for good."""
    case = find(session, proposal_id, lock=True)
    if GUARDIAN not in roles.effective(session, actor, now=now):
        raise Forbidden("A veto is for guardians, while they are.")
    if not case.parameters.veto:
        raise NoVeto
    case.require({State.QUEUED}, now)
    happen(
        session,
        proposal_id,
        Event.VETOED,
        actor=actor,
        details={"reason": reason},
        now=now,
    )
    return find(session, proposal_id)
