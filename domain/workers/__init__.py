"""Workers: which queues they serve together, and which of them are alive."""

from domain.workers.groups import (
    GROUPS,
    LEDGER,
    OUTBOUND,
    WorkerGroup,
    group_of,
    group_serving,
    slots_of,
)
from domain.workers.presence import (
    ALIVE_FOR,
    Done,
    Presence,
    Work,
    Worker,
    alive,
    beat,
    forget,
    leave,
)

__all__ = [
    "ALIVE_FOR",
    "GROUPS",
    "LEDGER",
    "OUTBOUND",
    "Done",
    "Presence",
    "Work",
    "Worker",
    "WorkerGroup",
    "alive",
    "beat",
    "forget",
    "group_of",
    "group_serving",
    "leave",
    "slots_of",
]
