"""The workload: what comes, waits and is done, measured every few seconds and kept."""

from domain.workload.keeping import merged, newest, roll_up, since, store
from domain.workload.measuring import DELIVER, LAG, crews, database, kinds, queues
from domain.workload.record import (
    Crew,
    DatabaseLoad,
    HostLoad,
    KindLoad,
    QueueLoad,
    Sample,
    WorkloadSample,
)

__all__ = [
    "DELIVER",
    "LAG",
    "Crew",
    "DatabaseLoad",
    "HostLoad",
    "KindLoad",
    "QueueLoad",
    "Sample",
    "WorkloadSample",
    "crews",
    "database",
    "kinds",
    "merged",
    "newest",
    "queues",
    "roll_up",
    "since",
    "store",
]
