"""What a queue's file declares: kinds of job, the lanes they run in, their periods."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy.orm import Session

from domain.jobs import Claim, Outcome


class BatchHandler(Protocol):
    """Applies many jobs in the worker's transaction; one outcome each, in order."""

    def __call__(
        self, session: Session, claims: Sequence[Claim], /, *, lane: int, now: datetime
    ) -> list[Outcome]:
        """Apply the jobs."""


class LongHandler(Protocol):
    """Runs one job under a lease; its result is stored in the same transaction."""

    def __call__(self, session: Session, claim: Claim, /, *, now: datetime) -> Any:
        """Run the job and return its result."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job; exactly one of the handlers is set."""

    name: str
    batch: BatchHandler | None = None
    long: LongHandler | None = None
    every_seconds: int | None = None

    @property
    def queue(self) -> str:
        """Return the queue, which is the first half of the name."""
        return self.name.partition(".")[0]


kinds: Final[dict[str, Kind]] = {}

_Batch = TypeVar("_Batch", bound=BatchHandler)
_Long = TypeVar("_Long", bound=LongHandler)


def batch_job(*names: str) -> Callable[[_Batch], _Batch]:
    """Declare the handler of short jobs that are applied many at a time."""

    def declare(handler: _Batch) -> _Batch:
        for name in names:
            _add(Kind(name, batch=handler))
        return handler

    return declare


def long_job(
    name: str, *, every_seconds: int | None = None
) -> Callable[[_Long], _Long]:
    """Declare the handler of jobs that run alone under a lease, perhaps periodic."""

    def declare(handler: _Long) -> _Long:
        _add(Kind(name, long=handler, every_seconds=every_seconds))
        return handler

    return declare


def has_long(queue: str) -> bool:
    """Say whether a queue has jobs that run alone."""
    return any(kind.long and kind.queue == queue for kind in kinds.values())


# What a queue's doorbell wakes beside its jobs.
woken: Final[dict[str, Callable[[], None]]] = {}

_Work = TypeVar("_Work", bound=Callable[[], None])


def on_doorbell(queue: str) -> Callable[[_Work], _Work]:
    """Declare what is done at a queue's doorbell once its jobs are."""

    def declare(work: _Work) -> _Work:
        woken[queue] = work
        return work

    return declare


def _add(kind: Kind) -> None:
    if kind.name in kinds:
        raise ValueError(f"job kind {kind.name!r} is declared twice")
    kinds[kind.name] = kind
