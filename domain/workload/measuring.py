"""Measure the job table, the webhooks and the workers, for one stretch of time.

A stretch ends a second ago: what was accepted in it is visible by then.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import webhooks, workers
from domain.queued_lanes import LANES
from domain.webhooks import Waiting
from domain.workload.record import Crew, DatabaseLoad, KindLoad, QueueLoad

LAG: Final = timedelta(seconds=1)
# So many queued jobs of a queue's lanes together are counted, but of each lane at least
# as many as of a webhook's deliveries: whoever has more needs all there is.
COUNTED_MAX: Final = 20_000
COUNTED_EACH: Final = 1_000
DELIVER: Final = "webhooks.deliver"
_WEBHOOKS: Final = "webhooks"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_WAITING: Final = sa.text(f"""
    {LANES}, shares AS (
        SELECT queue, lane,
               greatest(:each, :count / count(*) OVER (PARTITION BY queue)) AS share
        FROM lanes
    )
    SELECT shares.queue, count(*) FILTER (WHERE due) AS ready,
           count(*) FILTER (WHERE NOT due) AS delayed,
           count(DISTINCT shares.lane) FILTER (WHERE due) AS lanes,
           min(since) FILTER (WHERE due) AS since
    FROM shares, LATERAL (
        SELECT coalesce(run_at, submitted_at) AS since,
               run_at IS NULL OR run_at <= :now AS due
        FROM jobs
        WHERE queue = shares.queue AND lane = shares.lane AND state = 'queued'
          AND deadline > :now
        ORDER BY position LIMIT share) AS head
    GROUP BY shares.queue
""")  # noqa: S608  the lanes are a constant
_RUNNING: Final = sa.text("""
    SELECT queue, count(*) FROM jobs WHERE state = 'running' GROUP BY queue
""")


def queues(session: Session, *, now: datetime) -> dict[str, QueueLoad]:
    """Return what waits and what runs, by queue; a queue that rests is missing."""
    bound = {"now": now, "count": COUNTED_MAX, "each": COUNTED_EACH}
    running = _counts(session.execute(_RUNNING))
    found = {name: QueueLoad(running=count) for name, count in running.items()}
    for name, ready, delayed, lanes, since in session.execute(_WAITING, bound):
        oldest = (now - since).total_seconds() if since else 0.0
        found[name] = QueueLoad(
            ready=ready,
            delayed=delayed,
            running=running.get(name, 0),
            lanes=lanes,
            oldest=max(0.0, oldest),
        )
    sent = webhooks.waiting(session, counted=COUNTED_EACH, now=now)
    if any(sent):
        found[_WEBHOOKS] = _with_deliveries(
            found.get(_WEBHOOKS, QueueLoad()), sent, now
        )
    return found


def _with_deliveries(jobs: QueueLoad, sent: Waiting, now: datetime) -> QueueLoad:
    oldest = (now - sent.since).total_seconds() if sent.since else 0.0
    return replace(
        jobs,
        ready=jobs.ready + sent.ready,
        delayed=jobs.delayed + sent.delayed,
        running=jobs.running + sent.sending,
        oldest=max(jobs.oldest, oldest),
    )


# What comes round by the clock is counted neither when it comes nor when it is done
# (tasks/_done.py): behind it is no application and no request.
_ARRIVED: Final = sa.text("""
    SELECT kind, count(*) FROM jobs
    WHERE id >= :low AND id < :high
      AND (application IS NOT NULL OR request_id IS NOT NULL)
    GROUP BY kind
""")
_EVENTS: Final = sa.text("""
    SELECT count(*) FROM webhook_deliveries WHERE at >= :since AND at < :until
""")
_DONE: Final = sa.text("""
    SELECT kind, sum(jobs), sum(refused), sum(failed), sum(seconds), sum(cpu_seconds)
    FROM work_done WHERE at >= :since AND at < :until GROUP BY kind
""")


def kinds(session: Session, *, since: datetime, until: datetime) -> dict[str, KindLoad]:
    """Return what came and what was done from one time to another, by kind of job."""
    ids = {"low": _first_id(since), "high": _first_id(until)}
    span = {"since": since, "until": until}
    arrived = _counts(session.execute(_ARRIVED, ids))
    if events := session.scalar(_EVENTS, span):
        arrived[DELIVER] = events
    done = {kind: tuple(sums) for kind, *sums in session.execute(_DONE, span)}
    nothing = (0, 0, 0, 0.0, 0.0)
    found = {}
    for kind in arrived.keys() | done.keys():
        jobs, refused, failed, seconds, cpu_seconds = done.get(kind, nothing)
        found[kind] = KindLoad(
            arrived=arrived.get(kind, 0),
            finished=jobs,
            refused=refused,
            failed=failed,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
        )
    return found


def _counts(rows: Iterable[Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in rows}


def _first_id(at: datetime) -> UUID:
    """Return the least UUIDv7 of a moment."""
    return UUID(int=(at - _EPOCH) // timedelta(milliseconds=1) << 80)


def crews(session: Session, *, now: datetime) -> dict[str, Crew]:
    """Return the workers alive in each group; a group without any is missing."""
    found: dict[str, list[bool]] = defaultdict(list)
    for worker in workers.alive(session, now=now):
        found[worker.worker_group].append(worker.busy > 0)
    return {name: Crew(alive=len(busy), busy=sum(busy)) for name, busy in found.items()}


# Their number is told to everybody; which of them are clients, not to our role.
_CONNECTIONS: Final = sa.text("""
    SELECT sum(numbackends), current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true), '0')::int
    FROM pg_stat_database
""")


def database(session: Session, *, commit_ms: float | None) -> DatabaseLoad:
    """Return the server's connections; commits are timed by who makes them."""
    connections, most = session.execute(_CONNECTIONS).one()
    return DatabaseLoad(
        connections=connections, connections_max=most, commit_ms=commit_ms
    )
