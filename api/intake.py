"""Group commit: submissions that arrive together are stored together.

One thread flushes. It starts at once when idle, so a lone request waits for nobody;
what arrives during a flush is the next one.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from api.errors import DATABASE_AWAY, unavailable
from api.figures import count_submissions, doorbells, intake_refused, intake_waiting
from domain import jobs
from domain.jobs import NewJob, Submission

_log = structlog.get_logger()

FLUSH_JOBS_MAX: Final = 500
FLUSH_BYTES_MAX: Final = 8 * 1024 * 1024
WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
# Longer than any statement may take; the outcome is then unknown, and a retry safe.
_STORED_SECONDS: Final = 40.0
# A lane rung for a moment ago is mostly still at work, and will look again by itself.
RUNG_SECONDS: Final = 0.02


class _Slot:
    """One submission; the lock is held until it is stored or refused."""

    __slots__ = ("bytes", "error", "job", "pending", "submission")

    def __init__(self, job: NewJob, size: int) -> None:
        self.job = job
        self.bytes = size
        # Four times lighter than an Event, made for each request.
        self.pending = threading.Lock()
        self.pending.acquire()
        self.submission: Submission | None = None
        self.error: Exception | None = None


class Intake:
    """Stores jobs in groups and rings for their lanes once they are committed."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        ring: Callable[[str, int], None],
        limit: int,
    ) -> None:
        self._sessions = sessions
        self._ring = ring
        self._limit = limit
        self._waiting: deque[_Slot] = deque()
        self._bytes = 0
        self._changed = threading.Condition(threading.Lock())
        self._idle = False
        self._flusher: threading.Thread | None = None

    def submit(self, job: NewJob, size: int) -> Submission:
        """Return once the job is committed; `size` is its body in bytes."""
        slot = _Slot(job, size)
        with self._changed:
            full = len(self._waiting) >= self._limit
            if full or self._bytes + size > WAITING_BYTES_MAX:
                intake_refused.inc()
                raise unavailable("intake_full", "Too many writes at once; try again.")
            self._waiting.append(slot)
            self._bytes += size
            if self._flusher is None:
                # Not before: a thread would not survive gunicorn's fork.
                self._flusher = threading.Thread(
                    target=self._flush_forever, daemon=True
                )
                self._flusher.start()
            if self._idle:
                self._idle = False
                self._changed.notify()
        if not slot.pending.acquire(timeout=_STORED_SECONDS):
            raise unavailable(
                "not_yet_stored", "Whether this was stored is not known; send it again."
            )
        if slot.error is not None:
            raise slot.error
        assert slot.submission is not None, "a slot ends in one of the two"  # noqa: S101
        return slot.submission

    def _flush_forever(self) -> None:
        while True:
            self._flush(self._take())

    def _take(self) -> list[_Slot]:
        with self._changed:
            while not self._waiting:
                self._idle = True
                self._changed.wait()
            slots: list[_Slot] = []
            room = FLUSH_BYTES_MAX
            while self._waiting and len(slots) < FLUSH_JOBS_MAX and room > 0:
                slots.append(self._waiting.popleft())
                room -= slots[-1].bytes
            self._bytes -= sum(slot.bytes for slot in slots)
            intake_waiting.set(len(self._waiting))
        return slots

    def _flush(self, slots: Sequence[_Slot]) -> None:
        began = time.perf_counter()
        try:
            submissions = self._store([slot.job for slot in slots])
        except Exception as error:  # noqa: BLE001  each waiting request answers it
            self._part(slots, error)
            return
        count_submissions(submissions, time.perf_counter() - began)
        for slot, submission in zip(slots, submissions, strict=True):
            slot.submission = submission
            slot.pending.release()
        for queue, lane in {(slot.job.queue, slot.job.lane) for slot in slots}:
            self._ring(queue, lane)

    def _store(self, new: Sequence[NewJob]) -> list[Submission]:
        try:
            return self._store_once(new)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        # The server was restarted, or cut us off; what it has stored, it knows again.
        return self._store_once(new)

    def _store_once(self, new: Sequence[NewJob]) -> list[Submission]:
        with self._sessions.begin() as session:
            return jobs.submit(session, new)

    def _part(self, slots: Sequence[_Slot], error: Exception) -> None:
        """Let a job the database refuses fail alone, not with its neighbours."""
        # An outage is nobody's own fault: one by one would only take longer.
        if len(slots) == 1 or isinstance(error, DATABASE_AWAY):
            for slot in slots:
                slot.error = error
                slot.pending.release()
            return
        _log.warning("flush_parted", jobs=len(slots), error=repr(error))
        for slot in slots:
            self._flush([slot])


class Doorbell:
    """Rings in a thread of its own, so that the broker never delays an answer."""

    def __init__(self, ring: Callable[[str, int], bool | None]) -> None:
        self._ring = ring
        self._due: set[tuple[str, int]] = set()
        self._changed = threading.Condition()
        self._ringer: threading.Thread | None = None

    def __call__(self, queue: str, lane: int) -> None:
        """Ring for the lane soon; a lane that waits to be rung for waits once."""
        with self._changed:
            self._due.add((queue, lane))
            if self._ringer is None:
                self._ringer = threading.Thread(target=self._ring_forever, daemon=True)
                self._ringer.start()
            self._changed.notify()

    def _ring_forever(self) -> None:
        while True:
            with self._changed:
                while not self._due:
                    self._changed.wait()
                due, self._due = self._due, set()
            for queue, lane in due:
                self._ring_once(queue, lane)
            time.sleep(RUNG_SECONDS)

    def _ring_once(self, queue: str, lane: int) -> None:
        try:
            rung = self._ring(queue, lane)
        except Exception:  # noqa: BLE001  the reconciler finds what is not rung for
            _log.exception("doorbell_broken", queue=queue, lane=lane)
            rung = False
        if rung is not None:
            doorbells.labels("rung" if rung else "failed").inc()
