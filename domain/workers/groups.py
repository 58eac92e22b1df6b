"""Groups: queues that the same workers serve, and what is asked of those workers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerGroup:
    """Workers of one kind, from what they serve to how late a job of theirs may be."""

    name: str
    # None: every queue that no other group names.
    queues: Sequence[str] | None
    # How many jobs one worker runs at once; of a queue, where it differs.
    slots: int = 1
    slots_of: Mapping[str, int] = field(default_factory=dict)
    # What one worker keeps open to the database when it is busy (tasks/_beats.py).
    connections: int
    target_seconds: float  # the age of the oldest job we accept
    least: int = 1
    most: int
    # What a job is thought to take before any has finished.
    service_seconds: float = 0.1
    # Whether a lane's one writer bounds how many have something to do.
    by_lanes: bool = False


LEDGER: Final = WorkerGroup(
    name="ledger",
    queues=None,
    connections=2,
    target_seconds=2.0,
    most=8,
    service_seconds=0.02,
    by_lanes=True,
)
# What waits for others has workers of its own, so that the ledger waits for nobody.
# One process posts 32 webhooks at once, beside its four mails.
OUTBOUND: Final = WorkerGroup(
    name="outbound",
    queues=("mail", "webhooks"),
    slots=4,
    slots_of={"webhooks": 32},
    connections=9,
    target_seconds=10.0,
    most=8,
    service_seconds=0.5,
)
GROUPS: Final = {group.name: group for group in (LEDGER, OUTBOUND)}


def group_of(queue: str) -> WorkerGroup:
    """Return who serves a queue."""
    named = (g for g in GROUPS.values() if g.queues is not None and queue in g.queues)
    return next(named, LEDGER)


def group_serving(queues: Iterable[str]) -> WorkerGroup:
    """Return the group of a worker; one that serves those of several is the ledger's.

    Whoever serves every queue, as where all is one process, keeps the ledger going.
    """
    groups = {group_of(queue).name for queue in queues}
    return GROUPS[groups.pop()] if len(groups) == 1 else LEDGER


def slots_of(queue: str) -> int:
    """Return how many jobs of a queue one worker runs at once."""
    group = group_of(queue)
    return group.slots_of.get(queue, group.slots)
