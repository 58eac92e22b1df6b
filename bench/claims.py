"""What a claim costs while jobs come and go by the product's own statements.

In a database of its own on the same server: no worker takes what is measured, and the
first claim of all is made on an empty table.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from bench.stack import ROOT, Stack
from domain import jobs
from domain.db import create_engine, session_factory
from domain.ids import derived_id, uuid7
from domain.jobs import Claim, NewJob, Outcome
from domain.settings import Settings

JOBS, QUICK_JOBS = 1_000_000, 50_000
_WINDOWS = 20
NAME = "bench_claims"
_LANE = {"queue": "ledger", "lane": 0}
# As much as a worker claims at once.
_COUNT = 500
_LOOKS = 25
_OWNERS = 1_000
_PRINCIPAL = UUID(int=1)

_STATISTICS = """
    SELECT pg_relation_size('jobs') AS table_bytes, n_dead_tup AS dead_tuples,
           n_tup_upd AS updates, n_tup_hot_upd AS hot_updates,
           vacuum_count AS vacuums, autovacuum_count AS autovacuums,
           (SELECT json_object_agg(indexrelname, pg_relation_size(indexrelid))
            FROM pg_stat_user_indexes WHERE relname = 'jobs') AS index_bytes
    FROM pg_stat_user_tables WHERE relname = 'jobs'
"""

# Looked at in the table and its indexes so far: other than time, no load disturbs it.
_BLOCKS = """
    SELECT sum(pg_stat_get_xact_blocks_fetched(oid)) FROM pg_class
    WHERE oid = 'jobs'::regclass
       OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'jobs'::regclass)
"""


def measure(stack: Stack, total: int) -> dict[str, Any]:
    """Let that many jobs come and go; time every claim, and some before and after."""
    window = total // _WINDOWS
    with _database(stack) as engine:
        sessions = session_factory(engine)
        empty = _look(sessions)
        windows = []
        for finished in range(window, total + 1, window):
            windows.append({"jobs": finished, **_window(sessions, window)})
            shown = f"median of a claim {windows[-1]['p50_ms']:.2f} ms"
            print(f"{finished:,} jobs came and went, {shown}", flush=True)
        full = _look(sessions)
    return {"jobs": total, "empty": empty, "windows": windows, "full": full}


@contextmanager
def _database(stack: Stack) -> Iterator[sa.Engine]:
    """Make an empty database with the product's schema; connect as the product does."""
    with stack.engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {NAME}")
        connection.exec_driver_sql(f"CREATE DATABASE {NAME}")
        url = sa.make_url(stack.database).set(database=NAME)
        address = url.render_as_string(hide_password=False)
        subprocess.run(
            [sys.executable, "-m", "cli", "migrate"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": address},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        engine = create_engine(Settings(database_url=address))
        try:
            yield engine
        finally:
            engine.dispose()
            connection.exec_driver_sql(f"DROP DATABASE {NAME}")


def _look(sessions: sessionmaker[Session]) -> dict[str, Any]:
    """Return the medians of claims that are rolled back, and the table's statistics."""
    _submit(sessions)
    seconds, blocks = [], []
    for _ in range(_LOOKS):
        with sessions() as session:
            before = session.scalar(sa.text(_BLOCKS))
            seconds.append(_claim(session)[1])
            blocks.append(int(session.scalar(sa.text(_BLOCKS)) - before))
            session.rollback()
    _finish(sessions)
    with sessions() as session:
        row = session.execute(sa.text(_STATISTICS)).mappings().one()
    return {
        "claim_p50_ms": statistics.median(seconds) * 1e3,
        "claim_p50_blocks": statistics.median(blocks),
        **row,
    }


def _window(sessions: sessionmaker[Session], count: int) -> dict[str, float]:
    taken = []
    for _ in range(count // _COUNT):
        _submit(sessions)
        taken.append(_finish(sessions) * 1e3)
    return {"p50_ms": statistics.median(taken), "max_ms": max(taken)}


def _submit(sessions: sessionmaker[Session]) -> None:
    now = datetime.now(UTC)
    with sessions.begin() as session:
        jobs.submit(session, [_job(number, now) for number in range(_COUNT)])


def _job(number: int, now: datetime) -> NewJob:
    """Return a job as the API makes it of a single POST."""
    job_id = uuid7()
    return NewJob(
        id=job_id,
        kind="ledger.post_operation",
        **_LANE,
        payload=f'{{"nonce":"{job_id}","operation":"CREDIT_ADD",'
        f'"owner_id":"u{number % _OWNERS}"}}',
        application="commons",
        principal=_PRINCIPAL,
        idempotency=derived_id(job_id),
        digest=derived_id(number),
        request_id=str(job_id),
        submitted_at=now,
        deadline=now + timedelta(days=1),
    )


def _finish(sessions: sessionmaker[Session]) -> float:
    """Claim and finish what is queued as a worker does; return the claim's seconds."""
    began = datetime.now(UTC)
    with sessions.begin() as session:
        jobs.hold_lane(session, **_LANE)
        claims, seconds = _claim(session)
        outcomes = [Outcome(claim.id, result=result_of(claim.id)) for claim in claims]
        jobs.finish(session, outcomes, began=began, now=datetime.now(UTC))
    return seconds


def _claim(session: Session) -> tuple[list[Claim], float]:
    session.connection()
    now = datetime.now(UTC)
    began = time.perf_counter()
    claims = jobs.claim(session, **_LANE, count=_COUNT, size=_COUNT, now=now)
    seconds = time.perf_counter() - began
    if len(claims) != _COUNT:
        raise RuntimeError(f"{len(claims)} of {_COUNT} jobs could be claimed")
    return claims, seconds


def result_of(job_id: UUID) -> dict[str, Any]:
    """Return a result as wide as that of a write that was applied."""
    account = {"owner_id": "u1", "balance": 1, "version": 1}
    return {
        "transfer": {
            "id": str(job_id),
            "application": "commons",
            "operation": "CREDIT_ADD",
            "amount": 10,
            "debit": account,
            "credit": account,
            "nonce": str(job_id),
            "metadata": None,
            "reversal_of": None,
            "job_id": str(job_id),
            "created_at": "2026-01-01T00:00:00.000000+00:00",
        },
        "balance": 1,
    }
