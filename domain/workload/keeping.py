"""Keep samples: whole for a day, by five minutes for a quarter of a year."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import fmean
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from domain.workload.record import (
    Crew,
    DatabaseLoad,
    HostLoad,
    KindLoad,
    QueueLoad,
    Sample,
    WorkloadSample,
)

WHOLE_FOR: Final = timedelta(days=1)
KEPT_FOR: Final = timedelta(days=90)
ROLLED_SECONDS: Final = 300
_STRETCHES_MAX: Final = int(WHOLE_FOR.total_seconds()) // ROLLED_SECONDS

_Number = TypeVar("_Number", int, float)


def store(session: Session, sample: Sample) -> None:
    """Store a sample; of two at the same moment the first counts."""
    row = {
        "at": sample.at,
        "seconds": sample.seconds,
        "measured": sample.measured(),
    }
    stored = postgresql.insert(WorkloadSample).values(row)
    session.execute(stored.on_conflict_do_nothing())


def since(session: Session, at: datetime) -> list[Sample]:
    """Return the samples after a time, oldest first."""
    found = sa.select(WorkloadSample).where(WorkloadSample.at > at)
    return [_sample(row) for row in session.scalars(found.order_by(WorkloadSample.at))]


def newest(session: Session) -> Sample | None:
    """Return the last sample there is."""
    found = sa.select(WorkloadSample).order_by(WorkloadSample.at.desc()).limit(1)
    row = session.scalar(found)
    return _sample(row) if row else None


# Five minutes that there is more than one sample of.
_SEVERAL: Final = sa.text("""
    SELECT min(at), max(at) FROM workload_samples WHERE at < :before
    GROUP BY floor(extract(epoch FROM at) / :seconds) HAVING count(*) > 1
    ORDER BY min(at) LIMIT :count
""")


def roll_up(session: Session, *, now: datetime) -> int:
    """Make one of the samples of five minutes, a day later; return how many there were.

    At most a day at a time, so that it is quick however long nobody did it.
    """
    session.execute(sa.delete(WorkloadSample).where(WorkloadSample.at < now - KEPT_FOR))
    bound = {
        "before": _begin(now - WHOLE_FOR),
        "seconds": ROLLED_SECONDS,
        "count": _STRETCHES_MAX,
    }
    rolled = 0
    for first, last in session.execute(_SEVERAL, bound).all():
        stretch = WorkloadSample.at.between(first, last)
        whole = sa.select(WorkloadSample).where(stretch).order_by(WorkloadSample.at)
        samples = [_sample(row) for row in session.scalars(whole)]
        session.execute(sa.delete(WorkloadSample).where(stretch))
        store(session, merged(samples))
        rolled += len(samples)
    return rolled


def _begin(at: datetime) -> datetime:
    """Return when the five minutes of a moment began."""
    seconds = at.timestamp() // ROLLED_SECONDS * ROLLED_SECONDS
    return datetime.fromtimestamp(seconds, at.tzinfo)


def _sample(row: WorkloadSample) -> Sample:
    return Sample.of(row.at, row.seconds, row.measured)


def merged(samples: Sequence[Sample]) -> Sample:
    """Return several samples as one: counts are added, levels are the highest."""
    last = samples[-1]
    return Sample(
        at=last.at,
        seconds=sum(sample.seconds for sample in samples),
        queues=_merged_queues(samples),
        kinds=_merged_kinds(samples),
        crews=_merged_crews(samples),
        database=_merged_database([s.database for s in samples if s.database]),
        host=_merged_host([s.host for s in samples if s.host]),
    )


def _merged_queues(samples: Sequence[Sample]) -> dict[str, QueueLoad]:
    found: dict[str, list[QueueLoad]] = defaultdict(list)
    for sample in samples:
        for name, load in sample.queues.items():
            found[name].append(load)
    return {
        name: QueueLoad(
            ready=max(load.ready for load in loads),
            delayed=max(load.delayed for load in loads),
            running=max(load.running for load in loads),
            lanes=max(load.lanes for load in loads),
            oldest=max(load.oldest for load in loads),
            messages=_highest(load.messages for load in loads),
        )
        for name, loads in found.items()
    }


def _merged_kinds(samples: Sequence[Sample]) -> dict[str, KindLoad]:
    found: dict[str, list[KindLoad]] = defaultdict(list)
    for sample in samples:
        for name, load in sample.kinds.items():
            found[name].append(load)
    return {
        name: KindLoad(
            arrived=sum(load.arrived for load in loads),
            finished=sum(load.finished for load in loads),
            refused=sum(load.refused for load in loads),
            failed=sum(load.failed for load in loads),
            seconds=sum(load.seconds for load in loads),
            cpu_seconds=sum(load.cpu_seconds for load in loads),
        )
        for name, loads in found.items()
    }


def _merged_crews(samples: Sequence[Sample]) -> dict[str, Crew]:
    found: dict[str, list[Crew]] = defaultdict(list)
    for sample in samples:
        for name, crew in sample.crews.items():
            found[name].append(crew)
    return {
        name: Crew(
            alive=max(crew.alive for crew in crews),
            busy=max(crew.busy for crew in crews),
        )
        for name, crews in found.items()
    }


def _merged_database(loads: Sequence[DatabaseLoad]) -> DatabaseLoad | None:
    if not loads:
        return None
    return DatabaseLoad(
        connections=max(load.connections for load in loads),
        connections_max=loads[-1].connections_max,
        commit_ms=_highest(load.commit_ms for load in loads),
    )


def _merged_host(loads: Sequence[HostLoad]) -> HostLoad | None:
    if not loads:
        return None
    return replace(
        loads[-1],
        cpu=fmean(load.cpu for load in loads),
        load=_highest(load.load for load in loads),
        memory=max(load.memory for load in loads),
        memory_available=min(load.memory_available for load in loads),
        swap=max(load.swap for load in loads),
        disk=max(load.disk for load in loads),
        workers=max(load.workers for load in loads),
        worker_bytes=_highest(load.worker_bytes for load in loads),
    )


def _highest(values: Iterable[_Number | None]) -> _Number | None:
    return max((value for value in values if value is not None), default=None)
