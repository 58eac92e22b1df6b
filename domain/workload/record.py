"""A sample: what queues, workers, host and database did since the one before.

What could not be measured is None, never zero; without the database there is no sample.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLoad:
    """What waits in a queue; `oldest` is in seconds."""

    ready: int = 0
    delayed: int = 0  # due later
    running: int = 0  # under a lease
    lanes: int = 0  # that have a job which is ready
    oldest: float = 0.0
    # Messages of the broker, those not acknowledged too; None when it was not asked.
    messages: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KindLoad:
    """Jobs of a kind that came and that ended; workers were busy for `seconds`."""

    arrived: int = 0
    finished: int = 0
    refused: int = 0
    failed: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """The workers of a group that are alive."""

    alive: int = 0
    busy: int = 0  # of them, those with a job in hand


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseLoad:
    """Connections to the server, and how long our last commit took."""

    connections: int
    connections_max: int
    commit_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLoad:
    """The host in percent, bytes and processes; None is what it does not tell."""

    cpu: float
    cores: int
    load: float | None  # over one minute
    memory: float
    memory_available: int
    swap: float
    disk: float
    # Of our own workers: how many processes, and the memory of a usual and a large one.
    workers: int = 0
    worker_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement of all of it.

    Queues, kinds and crews are measured in one transaction or not at all: a queue or
    kind that is missing rested, and a crew that is has nobody.
    """

    at: datetime
    seconds: float  # since the one before
    queues: Mapping[str, QueueLoad] = field(default_factory=dict)
    kinds: Mapping[str, KindLoad] = field(default_factory=dict)
    crews: Mapping[str, Crew] = field(default_factory=dict)
    database: DatabaseLoad | None = None
    host: HostLoad | None = None

    def measured(self) -> dict[str, Any]:
        """Return all but the time as JSON."""
        found = asdict(self)
        del found["at"], found["seconds"]
        return found

    @classmethod
    def of(cls, at: datetime, seconds: float, measured: Mapping[str, Any]) -> "Sample":
        """Return the sample that was stored."""
        database, host = measured["database"], measured["host"]
        return cls(
            at=at,
            seconds=seconds,
            queues={n: QueueLoad(**load) for n, load in measured["queues"].items()},
            kinds={n: KindLoad(**load) for n, load in measured["kinds"].items()},
            crews={n: Crew(**crew) for n, crew in measured["crews"].items()},
            database=DatabaseLoad(**database) if database else None,
            host=HostLoad(**host) if host else None,
        )


class WorkloadSample(Base):
    """A sample's row; after a day, several samples in one."""

    __tablename__ = "workload_samples"

    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), primary_key=True)
    seconds: Mapped[float] = mapped_column(sa.Double)
    measured: Mapped[Any] = mapped_column(postgresql.JSONB)
