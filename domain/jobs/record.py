"""The job's row and its states."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base
from domain.errors import Conflict, Forbidden, NotFound

STATES: Final = (
    "queued",
    "running",
    "succeeded",
    "refused",
    "failed",
    "cancelled",
    "expired",
)
FINAL: Final = frozenset(STATES[2:])

_TIME = sa.DateTime(timezone=True)


class NoSuchJob(NotFound):
    """There is no such job, or it is not yours to see."""

    code = "no_such_job"


class JobFinished(Conflict):
    """The job is no longer queued, so it cannot be cancelled."""

    code = "job_finished"


class NotYourBallot(Forbidden):
    """Whether a ballot is cast is for its voter to say, and for nobody else."""

    code = "not_your_ballot"


class NotFailed(Conflict):
    """Only a failed job can be tried again."""

    code = "job_not_failed"


class Job(Base):
    """One accepted piece of work and, once finished, its outcome."""

    __tablename__ = "jobs"
    __table_args__ = (
        sa.Index("jobs_idempotency", "idempotency", unique=True),
        sa.Index(
            "jobs_queued",
            "queue",
            "lane",
            "position",
            postgresql_where=sa.text("state = 'queued'"),
        ),
        sa.Index(
            "jobs_running",
            "lease_until",
            postgresql_where=sa.text("state = 'running'"),
        ),
        sa.Index("jobs_application", "application", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True))
    kind: Mapped[str] = mapped_column(sa.Text)
    queue: Mapped[str] = mapped_column(sa.Text)
    lane: Mapped[int] = mapped_column(sa.SmallInteger)
    size: Mapped[int] = mapped_column(sa.SmallInteger, server_default="1")
    state: Mapped[str] = mapped_column(sa.Text, server_default="queued")
    attempts: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")
    application: Mapped[str | None] = mapped_column(sa.Text)
    principal: Mapped[UUID | None]
    idempotency: Mapped[UUID | None]
    digest: Mapped[UUID | None]
    request_id: Mapped[str | None] = mapped_column(sa.Text)
    trace: Mapped[str | None] = mapped_column(sa.Text)
    payload: Mapped[Any] = mapped_column(postgresql.JSON)
    result: Mapped[Any | None] = mapped_column(postgresql.JSON)
    problem: Mapped[Any | None] = mapped_column(postgresql.JSON)
    submitted_at: Mapped[datetime] = mapped_column(_TIME)
    deadline: Mapped[datetime] = mapped_column(_TIME)
    run_at: Mapped[datetime | None] = mapped_column(_TIME)
    lease_until: Mapped[datetime | None] = mapped_column(_TIME)
    started_at: Mapped[datetime | None] = mapped_column(_TIME)
    finished_at: Mapped[datetime | None] = mapped_column(_TIME)
