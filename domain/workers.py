"""Workers: who is alive and what they have done, as each says of itself.

Sums since its start, so that a beat that is lost costs nothing: whoever compares two
readings has what was done between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base

BEAT_SECONDS: Final = 2.0
# Silent for so long, it is not counted among the living.
ALIVE: Final = timedelta(seconds=10)


@dataclass(slots=True)
class Done:
    """Jobs of one kind a worker has finished, and the seconds it was busy with them."""

    jobs: int = 0
    refused: int = 0
    seconds: float = 0.0


class Worker(Base):
    """One process that claims jobs."""

    __tablename__ = "workers"
    __table_args__ = (sa.Index("workers_seen_at", "seen_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    host: Mapped[str] = mapped_column(sa.Text)
    pid: Mapped[int]
    queues: Mapped[list[str]] = mapped_column(postgresql.ARRAY(sa.Text))
    started_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    seen_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    # When it began what it is doing; null while it waits for work.
    busy_since: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    # By kind: jobs, refused, seconds.
    done: Mapped[Any] = mapped_column(postgresql.JSONB)


_BEAT: Final = sa.text("""
    INSERT INTO workers AS w
        (id, name, host, pid, queues, started_at, seen_at, busy_since, done)
    VALUES (:id, :name, :host, :pid, :queues, :started_at, :now, :busy_since,
            CAST(:done AS jsonb))
    ON CONFLICT (id) DO UPDATE
    SET seen_at = :now, busy_since = :busy_since, done = EXCLUDED.done
""")
