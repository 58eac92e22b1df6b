"""What a caller may ask of jobs: look, list, cancel, try again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, defer

from domain.jobs.claims import CHANNEL, QUEUED
from domain.jobs.record import (
    FINAL,
    Job,
    JobFinished,
    NoSuchJob,
    NotFailed,
    NotYourBallot,
)
from domain.pages import Page, Position, newest_first
from domain.webhooks import outbox

_BALLOTS: Final = frozenset({"governance.cast", "governance.cast_secret"})


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: one principal of an application, or its operator, who sees all."""

    application: str
    principal: UUID
    operator: bool

    def sees(self) -> sa.ColumnElement[bool]:
        """Return the condition that holds for the jobs this viewer may see."""
        own = Job.application == self.application
        return own if self.operator else own & (Job.principal == self.principal)


def find(session: Session, job_id: UUID, viewer: Viewer) -> Job:
    """Return a job, or raise NoSuchJob when the viewer may not see it."""
    found = session.scalar(
        sa.select(Job)
        .where(Job.id == job_id, viewer.sees())
        # Megabytes, perhaps, and no answer shows it.
        .options(defer(Job.payload))
    )
    if found is None:
        raise NoSuchJob
    return found


def _find_to_change(session: Session, job_id: UUID, viewer: Viewer) -> Job:
    """Return a job whose way the viewer may change; of ballots only the voter may.

    Else an operator could choose whose ballots are counted.
    """
    job = find(session, job_id, viewer)
    if job.kind in _BALLOTS and job.principal != viewer.principal:
        raise NotYourBallot
    return job


def finished(session: Session, ids: Collection[UUID]) -> Sequence[UUID]:
    """Return which of the jobs are in a final state."""
    return session.scalars(
        sa.select(Job.id).where(Job.id.in_(ids), Job.state.in_(FINAL))
    ).all()


def last_success(session: Session, kind: str) -> datetime | None:
    """Return when a periodic job last succeeded."""
    return session.scalar(
        sa.select(Job.finished_at)
        .where(Job.application.is_(None), Job.kind == kind, Job.state == "succeeded")
        .order_by(Job.id.desc())
        .limit(1)
    )


class Run(NamedTuple):
    """How and when a worker ended a job."""

    state: str
    at: datetime
    problem: Any


# Jobs that expired were run by nobody.
_LAST_RUNS: Final = sa.text("""
    SELECT DISTINCT ON (kind) kind, state, finished_at, problem FROM jobs
    WHERE application IS NULL AND state IN ('succeeded', 'refused', 'failed')
    ORDER BY kind, id DESC
""")


def last_runs(session: Session) -> dict[str, Run]:
    """Return how each kind of periodic job that was ever run ended last."""
    return {kind: Run(*told) for kind, *told in session.execute(_LAST_RUNS)}


def page(  # noqa: PLR0913  the filters of a list
    session: Session,
    viewer: Viewer,
    *,
    state: str | None = None,
    kind: str | None = None,
    start: Position | None = None,
    limit: int,
) -> Page[Any]:
    """Return the viewer's jobs, newest first, as rows of one Job each.

    What became of them is left out: results of batches are long, and a page has many.
    """
    left_out = (Job.payload, Job.result, Job.problem)
    statement = sa.select(Job).where(viewer.sees())
    statement = statement.options(*(defer(one, raiseload=True) for one in left_out))
    if state is not None:
        statement = statement.where(Job.state == state)
    if kind is not None:
        statement = statement.where(Job.kind == kind)
    return newest_first(
        session,
        statement,
        column=Job.id,  # type: ignore[arg-type]
        key=lambda row: row.Job.id,
        start=start,
        limit=limit,
    )


_CANCEL: Final = sa.text(f"""
    WITH ended AS (
        UPDATE jobs SET state = 'cancelled', finished_at = :now, run_at = NULL
        WHERE id = :id AND {QUEUED}
        RETURNING {outbox.JOB_COLUMNS}
    ), events AS ({outbox.job_events("ended")})
    SELECT pg_notify('{CHANNEL}', queue || '.' || lane) FROM ended
""")  # noqa: S608  channel and conditions are constants


def cancel(session: Session, job_id: UUID, viewer: Viewer, *, now: datetime) -> Job:
    """End a queued job unrun; raise JobFinished once it runs or has ended."""
    job = _find_to_change(session, job_id, viewer)
    if session.execute(_CANCEL, {"id": job_id, "now": now}).first() is None:
        raise JobFinished
    session.refresh(job)
    return job


def requeue(
    session: Session,
    job_id: UUID,
    viewer: Viewer,
    *,
    allowance: timedelta,
    now: datetime,
) -> Job:
    """Queue a failed job again with fresh attempts and `allowance` until it expires."""
    job = _find_to_change(session, job_id, viewer)
    queued = session.execute(
        sa.update(Job)
        .where(Job.id == job_id, Job.state == "failed")
        .values(
            state="queued",
            attempts=0,
            finished_at=None,
            # From now on it counts how long it waits.
            run_at=now,
            deadline=now + allowance,
        )
        .returning(Job.id)
    ).first()
    if queued is None:
        raise NotFailed
    session.refresh(job)
    return job
