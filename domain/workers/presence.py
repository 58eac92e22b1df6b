"""Heartbeats: who is alive, how busy, and what was done since the beat before."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base

# Some beats may be missed; who is silent for longer counts as gone.
ALIVE_FOR: Final = timedelta(seconds=10)

_TIME = sa.DateTime(timezone=True)


class Worker(Base):
    """A process that runs jobs, as it last told."""

    __tablename__ = "workers"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    worker_group: Mapped[str] = mapped_column(sa.Text)
    host: Mapped[str] = mapped_column(sa.Text)
    pid: Mapped[int]
    slots: Mapped[int] = mapped_column(sa.SmallInteger)
    busy: Mapped[int] = mapped_column(sa.SmallInteger)
    started_at: Mapped[datetime] = mapped_column(_TIME)
    seen_at: Mapped[datetime] = mapped_column(_TIME)


class Work(Base):
    """What one worker did of one kind between two beats."""

    __tablename__ = "work_done"
    __table_args__ = (sa.Index("work_done_at", "at"), {"prefixes": ["UNLOGGED"]})

    id: Mapped[int] = mapped_column(
        sa.BigInteger, sa.Identity(always=True), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(_TIME)
    kind: Mapped[str] = mapped_column(sa.Text)
    jobs: Mapped[int]
    refused: Mapped[int]
    failed: Mapped[int]
    seconds: Mapped[float] = mapped_column(sa.Double)
    cpu_seconds: Mapped[float] = mapped_column(sa.Double)


class Presence(NamedTuple):
    """Who a worker is, and how many jobs it has in hand."""

    id: UUID
    name: str
    worker_group: str
    host: str
    pid: int
    slots: int
    busy: int
    started_at: datetime


class Done(NamedTuple):
    """Runs of one kind of job, among them those that ended in a refusal or a failure.

    `seconds` are those a worker was busy with them. A job that is tried again is run
    again: that is work as well.
    """

    kind: str
    jobs: int
    refused: int
    failed: int
    seconds: float
    cpu_seconds: float


_BEAT: Final = sa.text("""
    WITH work AS (
        INSERT INTO work_done (at, kind, jobs, refused, failed, seconds, cpu_seconds)
        SELECT :now, r.* FROM json_to_recordset(CAST(:done AS json)) AS r(
            kind text, jobs integer, refused integer, failed integer,
            seconds double precision, cpu_seconds double precision)
    )
    INSERT INTO workers (id, name, worker_group, host, pid, slots, busy, started_at,
                         seen_at)
    VALUES (:id, :name, :worker_group, :host, :pid, :slots, :busy, :started_at, :now)
    ON CONFLICT (id) DO UPDATE SET busy = excluded.busy, seen_at = excluded.seen_at
""")


def beat(
    session: Session, presence: Presence, done: Sequence[Done], *, now: datetime
) -> None:
    """Say that a worker is alive, and what it did since the last time."""
    rows = json.dumps([one._asdict() for one in done])
    session.execute(_BEAT, {**presence._asdict(), "done": rows, "now": now})


def leave(session: Session, worker_id: UUID) -> None:
    """Say that a worker has ended as it was told."""
    session.execute(sa.delete(Worker).where(Worker.id == worker_id))


def alive(session: Session, *, now: datetime) -> list[Worker]:
    """Return the workers heard of lately, those that started first before others."""
    heard = sa.select(Worker).where(Worker.seen_at > now - ALIVE_FOR)
    return list(session.scalars(heard.order_by(Worker.started_at, Worker.id)))


def forget(session: Session, *, before: datetime) -> None:
    """Delete what was told before a time."""
    session.execute(sa.delete(Work).where(Work.at < before))
    session.execute(sa.delete(Worker).where(Worker.seen_at < before))
