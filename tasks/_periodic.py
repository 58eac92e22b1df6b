"""Periodic jobs: a slot of time is their idempotency key, so any number of beats do."""

from datetime import UTC, datetime, timedelta
from typing import Final

from domain import jobs
from domain.ids import derived_id, uuid7
from domain.jobs import NewJob
from tasks._drain import sessions
from tasks._registry import Kind, kinds

LANE: Final = 0
_SLOTS_UNTIL_LATE: Final = 2


def submit_slot(kind: Kind, *, now: datetime) -> bool:
    """Store the kind's job for the present slot; False when another beat has."""
    assert kind.every_seconds is not None, "only periodic kinds have slots"  # noqa: S101
    slot = int(now.timestamp()) // kind.every_seconds
    job = NewJob(
        id=uuid7(),
        kind=kind.name,
        queue=kind.queue,
        lane=LANE,
        payload="{}",
        submitted_at=now,
        deadline=now + timedelta(seconds=_SLOTS_UNTIL_LATE * kind.every_seconds),
        idempotency=derived_id("slot", kind.name, slot),
    )
    with sessions().begin() as session:
        return jobs.submit(session, [job])[0].earlier is None


def periodic() -> list[Kind]:
    """Return the kinds that have a period."""
    return [kind for kind in kinds.values() if kind.every_seconds is not None]


def submit_due() -> None:
    """Store every periodic job whose slot has begun."""
    now = datetime.now(UTC)
    for kind in periodic():
        submit_slot(kind, now=now)
