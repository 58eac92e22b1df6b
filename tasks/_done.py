"""What this process has done since it last told: a row for each kind of job.

What comes round by the clock is left out. Nobody brings it, there is always someone for
it, and by its many short runs a group that rests would take every job to be short.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

from domain.jobs import Claim, Outcome
from domain.workers import Done
from tasks._registry import kinds

_KIND: Final = attrgetter("kind")

_lock: Final = threading.Lock()
_done: Final[dict[str, Done]] = {}


class Stopwatch:
    """Seconds that this thread takes, and those of them it computes."""

    def __init__(self) -> None:
        self._began, self._cpu_began = time.monotonic(), time.thread_time()

    def read(self) -> tuple[float, float]:
        """Return the seconds since it was made, on the clock and on a processor."""
        return time.monotonic() - self._began, time.thread_time() - self._cpu_began


def add(
    kind: str, watch: Stopwatch, *, refused: bool = False, failed: bool = False
) -> None:
    """Count one run of a job."""
    _add(Done(kind, 1, int(refused), int(failed), *watch.read()))


def add_batch(
    claims: Sequence[Claim], outcomes: Sequence[Outcome], watch: Stopwatch
) -> None:
    """Count jobs that were applied together: their time is parted evenly."""
    seconds, cpu_seconds = watch.read()
    refused = Counter(
        claim.kind
        for claim, outcome in zip(claims, outcomes, strict=True)
        if outcome.refusal
    )
    for kind, jobs in Counter(map(_KIND, claims)).items():
        share = jobs / len(claims)
        _add(Done(kind, jobs, refused[kind], 0, share * seconds, share * cpu_seconds))


def take() -> list[Done]:
    """Return what there is to tell, and begin anew."""
    with _lock:
        taken = list(_done.values())
        _done.clear()
    return taken


def put_back(taken: Iterable[Done]) -> None:
    """Keep what could not be told for the next time."""
    for done in taken:
        _add(done)


def _add(more: Done) -> None:
    declared = kinds.get(more.kind)
    if declared is not None and declared.every_seconds is not None:
        return
    with _lock:
        known = _done.get(more.kind, Done(more.kind, 0, 0, 0, 0.0, 0.0))
        _done[more.kind] = Done(
            kind=more.kind,
            jobs=known.jobs + more.jobs,
            refused=known.refused + more.refused,
            failed=known.failed + more.failed,
            seconds=known.seconds + more.seconds,
            cpu_seconds=known.cpu_seconds + more.cpu_seconds,
        )
