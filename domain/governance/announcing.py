"""Announcing: who listens is told of a proposal's state, some time after it is so.

Nothing is decided here: the state is what `lifecycle` makes of what happened.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import audit_events
from domain.audit_events import Action
from domain.governance import executing, tallying
from domain.governance.cases import Case, cases, find
from domain.governance.lifecycle import State
from domain.governance.listing import begun
from domain.governance.record import IS_LIVE, Proposal
from domain.principals import PEOPLES_APPLICATION
from domain.webhooks import outbox

_CHUNK: Final = 200
_FREEZES: Final = frozenset({State.VOTING, State.CLOSED})
_STORE_EVENTS: Final = sa.text(outbox.PROPOSAL_EVENT)


def announce(
    session: Session,
    proposal_id: UUID,
    *,
    now: datetime,
    actor: UUID | None = None,
    request_id: str | None = None,
) -> State | None:
    """Tell of a state that was not told of yet, and return it.

    The row is locked first: of two who are about to tell, one does, and what it tells
    is no older than what was told before.
    """
    case = find(session, proposal_id, lock=True)
    state, told = case.state(now), case.row.announced
    if told == state:
        return None
    case.row.announced = str(state)
    bound = {
        "application": PEOPLES_APPLICATION,
        "proposal": proposal_id,
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
        subject=f"proposal:{proposal_id}",
        details={"from": told, "to": str(state)},
        request_id=request_id,
        now=now,
    )
    session.flush()
    return state


def due(session: Session, *, now: datetime, count: int) -> list[UUID]:
    """Return proposals whose state is to be told, or for which there is work to do.

    First those to be told of; what is in hand, or was tried in vain a moment ago, not
    at all: work that nobody can do yet keeps nobody waiting.
    """
    told, work = list[Case](), list[Case]()
    for case in _live(session):
        if str(case.state(now)) != case.row.announced:
            told.append(case)
        elif has_work(case, now=now):
            work.append(case)
    busy = {*tallying.in_hand(session), *_tried(session, work, now=now)}
    chosen = [*told, *(case for case in work if case.row.id not in busy)]
    return [case.row.id for case in chosen[:count]]


def _tried(session: Session, work: Sequence[Case], *, now: datetime) -> set[UUID]:
    """Return which of these it was tried to carry out just now."""
    ids = [case.row.id for case in work if executing.is_due(case, now=now)]
    return executing.tried(session, ids, now=now)


def has_work(case: Case, *, now: datetime) -> bool:
    """Say whether a proposal is to be frozen, counted or carried out."""
    state = case.state(now)
    unfrozen = state in _FREEZES and case.freeze is None
    return unfrozen or state is State.CLOSED or executing.is_due(case, now=now)


def under_way() -> sa.Select[UUID]:
    """Select the proposals to which something may still come."""
    return sa.select(Proposal.id).where(IS_LIVE, begun()).order_by(Proposal.id)


def _live(session: Session) -> Iterator[Case]:
    """Yield the proposals that are under way, oldest first; no long text is read."""
    ids = session.scalars(under_way()).all()
    for first in range(0, len(ids), _CHUNK):
        chunk = ids[first : first + _CHUNK]
        yield from cases(session, chunk, brief=True).values()
