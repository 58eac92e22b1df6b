"""Claim queued jobs of one lane in the order accepted, and store their outcomes.

Claim, effects and outcomes share one transaction, so a worker that dies at any
point leaves either everything or nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.errors import DomainError
from domain.webhooks import outbox

# Where waiters listen: the payload is "queue.lane", and they look for themselves.
CHANNEL: Final = "jobs_finished"


class Claim(NamedTuple):
    """A job as its handler sees it."""

    id: UUID
    kind: str
    application: str | None
    principal: UUID | None
    payload: Any
    attempts: int
    submitted_at: datetime
    request_id: str | None
    trace: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job; exactly one of the two is set."""

    id: UUID
    result: Any = None
    refusal: DomainError | None = None


class Superseded(RuntimeError):
    """Someone else finished a claimed job; this transaction must not commit."""


# A worker that is frozen, or whose host is, must not keep a lane for ever: the server
# ends the session of one that says nothing for so long. At work it takes milliseconds
# from one statement to the next.
_SILENT_MS: Final = 10_000
_HOLD: Final = sa.text(f"""
    SELECT pg_try_advisory_xact_lock(hashtext(:queue), :lane), {outbox.LISTENED_TO},
           set_config('idle_in_transaction_session_timeout', :silent, true)
""")


def hold_lane(session: Session, *, queue: str, lane: int) -> bool:
    """Become the lane's one writer until the transaction ends, unless there is one."""
    bound = {"queue": queue, "lane": lane, "silent": str(_SILENT_MS)}
    held, heard, _ = session.execute(_HOLD, bound).one()
    outbox.note(session, heard=heard)
    return bool(held)


# Of a job that is known by its id, "queued" is said by these two columns (a constraint
# holds them to the state). Said by the state itself, the planner would rather read the
# whole backlog from the index jobs_queued while its statistics call the queue short.
QUEUED: Final = "jobs.finished_at IS NULL AND jobs.lease_until IS NULL"

# The first job is taken whatever its size; row locks keep cancellation out.
_CLAIM: Final = sa.text(f"""
    WITH due AS (
        SELECT id, sum(size) OVER (ORDER BY position) - size AS before
        FROM (
            SELECT id, position, size FROM jobs
            WHERE queue = :queue AND lane = :lane AND state = 'queued'
              AND (run_at IS NULL OR run_at <= :now) AND deadline > :now
            ORDER BY position LIMIT :count
        ) AS head
    )
    SELECT jobs.id, kind, application, principal, payload, attempts,
           submitted_at, request_id, trace
    FROM jobs JOIN due USING (id)
    WHERE before < :size AND {QUEUED}
    ORDER BY position
    FOR UPDATE OF jobs SKIP LOCKED
""")  # noqa: S608  the condition is a constant


def claim(  # noqa: PLR0913  each argument is a bound
    session: Session, *, queue: str, lane: int, count: int, size: int, now: datetime
) -> list[Claim]:
    """Lock up to `count` due jobs of the lane, of about `size` entries, in order."""
    rows = session.execute(
        _CLAIM,
        {"queue": queue, "lane": lane, "count": count, "size": size, "now": now},
    )
    return [Claim._make(row) for row in rows]


def _finishing(events: str, heard: str) -> sa.TextClause:
    return sa.text(f"""
    WITH done AS (
        UPDATE jobs
        SET state = r.state, result = r.result, problem = r.problem,
            attempts = attempts + 1, started_at = coalesce(started_at, :began),
            finished_at = :now, run_at = NULL, lease_until = NULL
        FROM json_to_recordset(CAST(:rows AS json)) AS r(
            id uuid, state text, result json, problem json)
        WHERE jobs.id = r.id
        RETURNING {outbox.JOB_COLUMNS}
    ), told AS (
        SELECT pg_notify('{CHANNEL}', queue || '.' || lane)
        FROM (SELECT DISTINCT queue, lane FROM done) AS lanes
    ){events}
    SELECT (SELECT count(*) FROM done), (SELECT count(*) FROM told), {heard}
    """)  # noqa: S608  the channel and the parts are constants


_FINISH: Final = _finishing("", "false")
_FINISH_HEARD: Final = _finishing(
    f", events AS ({outbox.job_events('done')})", outbox.listeners("done")
)


def finish(
    session: Session, outcomes: Sequence[Outcome], *, began: datetime, now: datetime
) -> bool:
    """Store the outcomes of jobs this transaction claimed; tell waiters at commit.

    Returns whether webhooks may have to be sent. The jobs' state is not asked again:
    the claim has locked it, and whatever the condition, the planner would take it
    for a reason to read the whole backlog.
    """
    if not outcomes:
        return False
    rows = json.dumps([outcome_row(o) for o in outcomes], separators=(",", ":"))
    bound = {"rows": rows, "began": began, "now": now}
    statement = _FINISH_HEARD if outbox.heard(session) else _FINISH
    stored, _, heard = session.execute(statement, bound).one()
    if stored != len(outcomes):
        raise Superseded(f"{stored} of {len(outcomes)} outcomes could be stored")
    return bool(heard)


def outcome_row(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as its row's columns."""
    if outcome.refusal is None:
        return {"id": outcome.id.hex, "state": "succeeded", "result": outcome.result}
    return {
        "id": outcome.id.hex,
        "state": "refused",
        "problem": outcome.refusal.problem(),
    }


_PENDING: Final = sa.text("""
    SELECT EXISTS (
        SELECT FROM jobs
        WHERE queue = :queue AND lane = :lane AND state = 'queued'
          AND (run_at IS NULL OR run_at <= :now) AND deadline > :now)
""")


def pending(session: Session, *, queue: str, lane: int, now: datetime) -> bool:
    """Say whether the lane has a job that is due."""
    return bool(session.scalar(_PENDING, {"queue": queue, "lane": lane, "now": now}))
