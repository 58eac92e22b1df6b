"""What happens to jobs that could not be finished: retry, failure, expiry."""

import json
import random
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.jobs.claims import CHANNEL, QUEUED
from domain.queued_lanes import LANES
from domain.webhooks import outbox

_BACKOFF_FIRST_SECONDS: Final = 1.0
_BACKOFF_MOST_SECONDS: Final = 300.0


def backoff(attempt: int) -> timedelta:
    """Return a full-jitter delay: uniform below min(cap, base · 2^attempt) seconds."""
    ceiling = min(_BACKOFF_MOST_SECONDS, _BACKOFF_FIRST_SECONDS * 2**attempt)
    return timedelta(seconds=random.uniform(0, ceiling))  # noqa: S311  spreads load


# What its owner may know; the reason is in the log of the worker.
_FAILED: Final = json.dumps(
    {
        "kind": "failed",
        "code": "job_failed",
        "detail": "Something unexpected went wrong; it was written to our log.",
    }
)

_FAIL: Final = sa.text(f"""
    WITH tried AS (
        UPDATE jobs SET attempts = attempts + CAST(state = 'queued' AS int),
            state = CASE WHEN :final THEN 'failed' ELSE 'queued' END,
            problem = CAST(:problem AS json), started_at = coalesce(started_at, :now),
            run_at = CASE WHEN :final THEN NULL ELSE CAST(:run_at AS timestamptz) END,
            finished_at = CASE WHEN :final THEN CAST(:now AS timestamptz) END,
            lease_until = NULL
        WHERE id = :id AND (state = 'queued' AND attempts = :attempts - 1
                            OR state = 'running' AND attempts = :attempts)
        RETURNING {outbox.JOB_COLUMNS}
    ), events AS ({outbox.job_events("tried")})
    SELECT pg_notify('{CHANNEL}', queue || '.' || lane) FROM tried
""")  # noqa: S608  the channel is a constant


def fail(
    session: Session,
    job_id: UUID,
    *,
    attempt: int,
    attempts_max: int,
    now: datetime,
) -> bool:
    """Record attempt number `attempt` as failed; return whether it was the last."""
    final = attempt >= attempts_max
    bound = {
        "id": job_id,
        "attempts": attempt,
        "final": final,
        "problem": _FAILED,
        "run_at": now + backoff(attempt),
        "now": now,
    }
    session.execute(_FAIL, bound)
    return final


# Those submitted first are late first: only the heads of the lanes are looked at.
# Materialized, or the limit would be applied anew for each row it is joined to.
_EXPIRE: Final = sa.text(f"""
    {LANES}, heads AS MATERIALIZED (
        SELECT head.id FROM lanes, LATERAL (
            SELECT id, deadline FROM jobs
            WHERE queue = lanes.queue AND lane = lanes.lane AND state = 'queued'
            ORDER BY position LIMIT :count) AS head
        WHERE head.deadline <= :now LIMIT :count
    ), late AS MATERIALIZED (
        SELECT jobs.id FROM jobs JOIN heads USING (id)
        WHERE {QUEUED} FOR UPDATE OF jobs SKIP LOCKED
    ), ended AS (
        UPDATE jobs SET state = 'expired', finished_at = :now, run_at = NULL,
            problem = json_build_object('kind', 'expired', 'code', 'job_expired',
                'detail', 'No worker began this job before its deadline.')
        FROM late WHERE jobs.id = late.id
        RETURNING {outbox.JOB_COLUMNS}
    ), events AS ({outbox.job_events("ended")})
    SELECT count(*), count(pg_notify('{CHANNEL}', queue || '.' || lane)) FROM ended
""")  # noqa: S608  channel and conditions are constants


def expire(session: Session, *, count: int, now: datetime) -> int:
    """End up to `count` queued jobs that are past their deadline."""
    return session.scalar(_EXPIRE, {"count": count, "now": now}) or 0


_DUE: Final = sa.text(f"""
    {LANES}
    SELECT queue, lane FROM lanes WHERE EXISTS (
        SELECT FROM jobs WHERE jobs.queue = lanes.queue AND jobs.lane = lanes.lane
          AND state = 'queued' AND (run_at IS NULL OR run_at <= :now)
          AND deadline > :now)
""")  # noqa: S608  the lanes are a constant


def due_lanes(session: Session, *, now: datetime) -> list[tuple[str, int]]:
    """Return every (queue, lane) that has a job to begin."""
    return [(queue, lane) for queue, lane in session.execute(_DUE, {"now": now})]


_FORGET: Final = sa.text("""
    WITH old AS MATERIALIZED (
        SELECT id FROM jobs WHERE application IS NULL AND finished_at < :before
        ORDER BY id LIMIT :count)
    DELETE FROM jobs USING old WHERE jobs.id = old.id
""")


def forget_periodic(session: Session, *, count: int, before: datetime) -> None:
    """Delete finished periodic jobs; those of applications stay for good."""
    session.execute(_FORGET, {"count": count, "before": before})
