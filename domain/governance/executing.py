"""Executing: a proposal that passed is carried out after its timelock, once."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import jobs
from domain.councils import elections, recalls
from domain.errors import DomainError
from domain.governance import deeds, types
from domain.governance.cases import Case, find, happen
from domain.governance.lifecycle import Event, State
from domain.governance.parameters import Deed
from domain.governance.treasury import require_funds, spend
from domain.ids import derived_id, uuid7
from domain.jobs import Job, NewJob
from domain.principals import PEOPLES_APPLICATION

EXECUTE: Final = "governance.execute"
# What cannot be carried out yet is tried so often, until it expires.
_TRIED_EVERY: Final = timedelta(minutes=5)


class Carry(Protocol):
    """Carries out a proposal's deed and returns what is written down of it."""

    def __call__(
        self, session: Session, case: Case, /, *, now: datetime
    ) -> dict[str, Any]:
        """Do it, or raise a DomainError: then it is tried again until it expires."""


def _deeds(*, lane: int, job_id: UUID) -> Mapping[Deed, Carry]:
    """Return what carries out each deed."""
    return {
        Deed.SPEND: partial(spend, lane=lane, job_id=job_id),
        Deed.PARAMETERS: change_rules,
        Deed.SEATS: elections.seat_elected,
        Deed.RECALL: recalls.carry_out,
    }


def execute(
    session: Session,
    proposal_id: UUID,
    *,
    lane: int,
    now: datetime,
    job_id: UUID | None = None,
) -> dict[str, Any] | None:
    """Carry out a proposal; None when there is nothing to be done now.

    The row's lock and the event, which is stored once, in the transaction of the deed:
    whoever comes second finds it done. What cannot be done now leaves no trace.
    """
    case = find(session, proposal_id, lock=True)
    if not is_due(case, now=now):
        return None
    carry = _deeds(lane=lane, job_id=job_id or proposal_id)[case.parameters.deed]
    try:
        with session.begin_nested():
            done = carry(session, case, now=now)
            happen(session, proposal_id, Event.EXECUTED, details=done, now=now)
    except DomainError as refusal:
        return {"executed": False, "obstacle": refusal.description()}
    return {"executed": True, **done}


def submit(session: Session, proposal_id: UUID, *, lane: int, now: datetime) -> bool:
    """Submit the job that carries a proposal out, unless it was just tried."""
    job = NewJob(
        id=uuid7(),
        kind=EXECUTE,
        queue=EXECUTE.partition(".")[0],
        lane=lane,
        payload=f'{{"proposal_id": "{proposal_id}"}}',
        submitted_at=now,
        deadline=now + _TRIED_EVERY,
        application=PEOPLES_APPLICATION,
        idempotency=_key(proposal_id, now),
    )
    return jobs.submit(session, [job])[0].earlier is None


def tried(session: Session, ids: Iterable[UUID], *, now: datetime) -> set[UUID]:
    """Return for which of these proposals the job of this moment was submitted."""
    keys = {_key(one, now): one for one in ids}
    found = sa.select(Job.idempotency).where(Job.idempotency.in_(keys))
    return {keys[key] for key in session.scalars(found) if key is not None}


def _key(proposal_id: UUID, now: datetime) -> UUID:
    slot = int(now.timestamp()) // int(_TRIED_EVERY.total_seconds())
    return derived_id(EXECUTE, proposal_id, slot)


def is_due(case: Case, *, now: datetime) -> bool:
    """Say whether a proposal is to be carried out now."""
    times = case.timeline
    return (
        case.parameters.deed is not Deed.NONE
        and times is not None
        and case.state(now) is State.QUEUED
        and times.executable <= now
    )


def obstacle(session: Session, case: Case, *, now: datetime) -> dict[str, Any] | None:
    """Return why a proposal that is due is not carried out, as things are now."""
    if not is_due(case, now=now):
        return None
    try:
        if case.parameters.deed is Deed.SPEND:
            wanted = deeds.read_spend(case.details)
            deeds.require_member(session, wanted)
            require_funds(session, wanted.amount)
        elif case.parameters.deed is Deed.PARAMETERS:
            change = deeds.read_change(case.details)
            deeds.require_change(session, case.parameters, change)
    except DomainError as refusal:
        return refusal.description()
    return None


def change_rules(session: Session, case: Case, /, *, now: datetime) -> dict[str, Any]:
    """Add the version of a type that a proposal asks for."""
    change = deeds.read_change(case.details)
    types.lock(session)
    deeds.require_change(session, case.parameters, change)
    made = types.change(
        session, change.name, change.parameters, changed_by=case.row.id, now=now
    )
    return {"type": made.name, "version": made.version}
