"""Announcing: who listens is told of a proposal's state, some time after it is so.

Nothing is decided here: the state is what `lifecycle` makes of what happened.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import audit_events
from domain.audit_events import Action
from domain.governance import executing
from domain.governance.cases import Case, cases
from domain.governance.lifecycle import FINAL, State
from domain.governance.listing import begun
from domain.governance.record import Proposal
from domain.principals import PEOPLES_APPLICATION
from domain.webhooks import outbox

_CHUNK: Final = 200
# After these nothing comes by the clock alone, or by a job.
_AT_REST: Final = frozenset(map(str, {*FINAL, State.PASSED}))
_FREEZES: Final = frozenset({State.FROZEN, State.VOTING, State.CLOSED})
_STORE_EVENTS: Final = sa.text(outbox.PROPOSAL_EVENT)


def announce(
    session: Session,
    case: Case,
    *,
    now: datetime,
    actor: UUID | None = None,
    request_id: str | None = None,
) -> State | None:
    """Tell of a state that was not told of yet, and return it.

    The row is locked first: of two who are about to tell, one does.
    """
    state = case.state(now)
    told = session.scalar(
        sa.select(Proposal.announced)
        .where(Proposal.id == case.row.id)
        .with_for_update(key_share=True)
    )
    if told == state:
        return None
    case.row.announced = str(state)
    bound = {
        "application": PEOPLES_APPLICATION,
        "proposal": case.row.id,
        "type": case.row.type,
        "state": str(state),
        "request_id": request_id,
        "now": now,
    }
    session.execute(_STORE_EVENTS, bound)
    audit_events.record(
        session,
        action=Action.PROPOSAL_STATE_CHANGED,
        application=PEOPLES_APPLICATION,
        actor=actor,
        subject=f"proposal:{case.row.id}",
        details={"from": told, "to": str(state)},
        request_id=request_id,
        now=now,
    )
    session.flush()
    return state


def due(session: Session, *, now: datetime, count: int) -> list[UUID]:
    """Return proposals whose state is to be told, or for which there is work to do.

    First those to be told of, so that work nobody can do yet keeps nobody waiting.
    """
    told, work = list[UUID](), list[UUID]()
    for case in _live(session):
        if str(case.state(now)) != case.row.announced:
            told.append(case.row.id)
        elif has_work(case, now=now):
            work.append(case.row.id)
    return (told + work)[:count]


def has_work(case: Case, *, now: datetime) -> bool:
    """Say whether a proposal is to be frozen, counted or carried out."""
    state = case.state(now)
    unfrozen = state in _FREEZES and case.freeze is None
    return unfrozen or state is State.CLOSED or executing.is_due(case, now=now)


def _live(session: Session) -> Iterator[Case]:
    """Yield the proposals that are under way, oldest first."""
    ids = session.scalars(
        sa.select(Proposal.id)
        .where(Proposal.announced.not_in(_AT_REST), begun())
        .order_by(Proposal.id)
    ).all()
    for first in range(0, len(ids), _CHUNK):
        yield from cases(session, ids[first : first + _CHUNK]).values()
