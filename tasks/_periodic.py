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


def slot_of(kind: Kind, now: datetime) -> int:
    """Return the number of the period that `now` is in."""
    return int(now.timestamp()) // _period(kind)


def next_slot_at(kind: Kind, now: datetime) -> datetime:
    """Return when the period after the present one begins."""
    return datetime.fromtimestamp((slot_of(kind, now) + 1) * _period(kind), UTC)


def is_late(kind: Kind, *, last_run_at: datetime, now: datetime) -> bool:
    """Say whether a job of every slot since then has expired without being run."""
    return now - last_run_at > _SLOTS_UNTIL_LATE * timedelta(seconds=_period(kind))


def _period(kind: Kind) -> int:
    assert kind.every_seconds is not None, "only periodic kinds have slots"  # noqa: S101
    return kind.every_seconds


def submit_slot(kind: Kind, *, now: datetime) -> bool:
    """Store the kind's job for the present slot; False when another beat has."""
    slot = slot_of(kind, now)
    job = NewJob(
        id=uuid7(),
        kind=kind.name,
        queue=kind.queue,
        lane=LANE,
        payload="{}",
        submitted_at=now,
        deadline=now + _SLOTS_UNTIL_LATE * timedelta(seconds=_period(kind)),
        idempotency=derived_id("slot", kind.name, slot),
    )
    with sessions().begin() as session:
        return jobs.submit(session, [job])[0].earlier is None


def periodic() -> list[Kind]:
    """Return the kinds that have a period."""
    return [kind for kind in kinds.values() if kind.every_seconds is not None]


def submit_due(seen: dict[str, int]) -> None:
    """Store every periodic job whose slot has begun and is not among those seen."""
    now = datetime.now(UTC)
    for kind in periodic():
        slot = slot_of(kind, now)
        if seen.get(kind.name) != slot:
            submit_slot(kind, now=now)
            seen[kind.name] = slot
