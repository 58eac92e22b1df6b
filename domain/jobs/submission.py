"""Accept jobs: many in one statement, each at most once per idempotency key."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.errors import IdempotencyKeyReused
from domain.jobs.claims import QUEUED
from domain.jobs.record import Job


class NewJob(NamedTuple):
    """A job as it is submitted.

    `payload` is JSON text, kept to the byte; `size` is the work in it, in ledger
    entries.
    """

    id: UUID
    kind: str
    queue: str
    lane: int
    payload: str
    submitted_at: datetime
    deadline: datetime
    size: int = 1
    application: str | None = None
    principal: UUID | None = None
    idempotency: UUID | None = None
    digest: UUID | None = None
    request_id: str | None = None
    trace: str | None = None


class Submission(NamedTuple):
    """The answer to one submission: accepted now, the first one again, or an error."""

    job: NewJob
    earlier: Job | None = None
    error: IdempotencyKeyReused | None = None


# One text parameter however many rows: cheap to send, and parsed by the server.
# `state` is left to its default. Positions follow the order of the rows; stored they
# are in the order of their keys, so that two submissions of the same keys never wait
# for each other crosswise.
_INSERT: Final = sa.text("""
    WITH accepted AS MATERIALIZED (
        SELECT nextval('jobs_position_seq') AS position, r.*
        FROM json_to_recordset(CAST(:rows AS json)) AS r(
            id uuid, kind text, queue text, lane smallint, size smallint,
            application text, principal uuid, idempotency uuid, digest uuid,
            request_id text, trace text, payload text,
            submitted_at timestamptz, deadline timestamptz)
    )
    INSERT INTO jobs (position, id, kind, queue, lane, size, application, principal,
                      idempotency, digest, request_id, trace, payload,
                      submitted_at, deadline)
    OVERRIDING SYSTEM VALUE
    SELECT position, id, kind, queue, lane, size, application, principal,
           idempotency, digest, request_id, trace, CAST(payload AS json),
           submitted_at, deadline
    FROM accepted ORDER BY idempotency
    ON CONFLICT DO NOTHING
""")


def submit(session: Session, jobs: Sequence[NewJob]) -> list[Submission]:
    """Store the jobs in order; a key seen before yields the job it first made.

    Who does not know whether this was done, as when a connection broke, does it again:
    the same jobs are stored once.
    """
    rows = json.dumps([_row(job) for job in jobs], separators=(",", ":"))
    stored_count = session.execute(_INSERT, {"rows": rows}).rowcount  # type: ignore[attr-defined]
    if stored_count == len(jobs):
        return [Submission(job) for job in jobs]
    new = sa.select(Job.id).where(Job.id.in_([job.id for job in jobs]))
    stored = set(session.scalars(new))
    known = _by_idempotency(session, [j for j in jobs if j.id not in stored])
    return [
        Submission(job) if job.id in stored else _replay(job, known) for job in jobs
    ]


_POSTPONE: Final = sa.text(f"""
    UPDATE jobs SET run_at = :until WHERE id = :id AND {QUEUED}
""")  # noqa: S608  the condition is a constant


def postpone(session: Session, job_id: UUID, *, until: datetime) -> None:
    """Let nobody begin a queued job before a time."""
    session.execute(_POSTPONE, {"id": job_id, "until": until})


def _row(job: NewJob) -> dict[str, Any]:
    return {
        "id": job.id.hex,
        "kind": job.kind,
        "queue": job.queue,
        "lane": job.lane,
        "size": job.size,
        "application": job.application,
        "principal": job.principal and job.principal.hex,
        "idempotency": job.idempotency and job.idempotency.hex,
        "digest": job.digest and job.digest.hex,
        "request_id": job.request_id,
        "trace": job.trace,
        "payload": job.payload,
        "submitted_at": job.submitted_at.isoformat(),
        "deadline": job.deadline.isoformat(),
    }


def _by_idempotency(session: Session, jobs: Sequence[NewJob]) -> dict[UUID, Job]:
    keys = [job.idempotency for job in jobs]
    found = session.scalars(sa.select(Job).where(Job.idempotency.in_(keys)))
    return {job.idempotency: job for job in found if job.idempotency}


def _replay(job: NewJob, known: dict[UUID, Job]) -> Submission:
    assert job.idempotency is not None, "only a key can collide"  # noqa: S101
    earlier = known[job.idempotency]
    if earlier.digest == job.digest:
        return Submission(job, earlier=earlier)
    return Submission(job, error=IdempotencyKeyReused())
