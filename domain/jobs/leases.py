"""Leases for long jobs: one worker at a time, and a new one when it falls silent.

`attempts` is the fencing token: whoever lost the lease cannot store an outcome.
"""

import json
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.jobs.claims import CHANNEL, QUEUED, Claim, Outcome, Superseded, outcome_row
from domain.webhooks import outbox

_LEASE: Final = sa.text(f"""
    UPDATE jobs SET state = 'running', attempts = attempts + 1,
           started_at = coalesce(started_at, :now), lease_until = :until
    WHERE id = :id AND {QUEUED}
    RETURNING id, kind, application, principal, payload, attempts,
              submitted_at, request_id, trace
""")  # noqa: S608  the condition is a constant


def lease(
    session: Session, job_id: UUID, *, until: datetime, now: datetime
) -> Claim | None:
    """Take a queued job to run it outside this transaction; None when it is gone."""
    row = session.execute(_LEASE, {"id": job_id, "until": until, "now": now}).first()
    return None if row is None else Claim._make(row)


_RENEW: Final = sa.text("""
    UPDATE jobs SET lease_until = :until
    WHERE id = :id AND state = 'running' AND attempts = :attempts
""")


def renew(session: Session, claim: Claim, *, until: datetime) -> None:
    """Extend a lease that is still ours, or raise Superseded."""
    bound = {"id": claim.id, "until": until, "attempts": claim.attempts}
    if session.execute(_RENEW, bound).rowcount != 1:  # type: ignore[attr-defined]
        raise Superseded(f"the lease of job {claim.id} was taken back")


_FINISH: Final = sa.text(f"""
    WITH done AS (
        UPDATE jobs SET state = :state, result = CAST(:result AS json),
               problem = CAST(:problem AS json), lease_until = NULL, finished_at = :now
        WHERE id = :id AND state = 'running' AND attempts = :attempts
        RETURNING {outbox.JOB_COLUMNS}
    ), events AS ({outbox.job_events("done")})
    SELECT pg_notify('{CHANNEL}', queue || '.' || lane) FROM done
""")  # noqa: S608  the channel is a constant


def finish_leased(
    session: Session, claim: Claim, outcome: Outcome, *, now: datetime
) -> None:
    """Store a leased job's outcome, or raise Superseded when the lease was lost."""
    row = outcome_row(outcome)
    bound = {
        "id": claim.id,
        "attempts": claim.attempts,
        "state": row["state"],
        "result": json.dumps(row["result"]) if "result" in row else None,
        "problem": json.dumps(row["problem"]) if "problem" in row else None,
        "now": now,
    }
    if session.execute(_FINISH, bound).first() is None:
        raise Superseded(f"the lease of job {claim.id} was taken back")


_TAKE_BACK: Final = sa.text(f"""
    WITH lost AS (
        UPDATE jobs SET
            state = CASE WHEN attempts < :attempts_max THEN 'queued' ELSE 'failed' END,
            problem = json_build_object('kind', 'failed', 'code', 'lease_expired',
                'detail', 'The worker fell silent while it ran this job.'),
            finished_at = CASE WHEN attempts < :attempts_max THEN NULL
                               ELSE CAST(:now AS timestamptz) END,
            lease_until = NULL
        WHERE state = 'running' AND lease_until <= :now
        RETURNING {outbox.JOB_COLUMNS}
    ), events AS ({outbox.job_events("lost")})
    SELECT queue, lane, pg_notify('{CHANNEL}', queue || '.' || lane) FROM lost
""")  # noqa: S608  the channel is a constant


def take_back(
    session: Session, *, attempts_max: int, now: datetime
) -> list[tuple[str, int]]:
    """Requeue (or fail, when attempts are spent) jobs whose worker fell silent."""
    rows = session.execute(_TAKE_BACK, {"attempts_max": attempts_max, "now": now})
    return [(row.queue, row.lane) for row in rows]
