"""Requests that wait for a job: one LISTEN for the process wakes them.

A notification says which lane has finished something; the waiters of that lane are
then looked up in one query. Should notifications be lost, a look a second remains.
"""

import select
import threading
import time
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, sessionmaker

from domain import jobs

_log = structlog.get_logger()

WAITERS_MAX: Final = 2_000
_LOOK_SECONDS: Final = 1.0
_AWAY_SECONDS: Final = 1.0


class Waiters:
    """Who waits for which job."""

    def __init__(self, engine: sa.Engine, sessions: sessionmaker[Session]) -> None:
        self._engine = engine
        self._sessions = sessions
        self._lock = threading.Lock()
        self._waiting: dict[UUID, list[threading.Event]] = {}
        self._lane_of: dict[UUID, str] = {}
        self._listener: threading.Thread | None = None

    def wait(self, job_id: UUID, lane: str, seconds: float) -> bool:
        """Return whether the job has finished within this time."""
        woken = threading.Event()
        if seconds <= 0 or not self._add(job_id, lane, woken):
            return False
        try:
            # It may have finished before we were on the list.
            self._wake([job_id])
            return woken.wait(seconds)
        finally:
            self._remove(job_id, woken)

    def _add(self, job_id: UUID, lane: str, woken: threading.Event) -> bool:
        with self._lock:
            if len(self._waiting) >= WAITERS_MAX:
                return False
            self._waiting.setdefault(job_id, []).append(woken)
            self._lane_of[job_id] = lane
            if self._listener is None:
                self._listener = threading.Thread(target=self._listen, daemon=True)
                self._listener.start()
            return True

    def _remove(self, job_id: UUID, woken: threading.Event) -> None:
        with self._lock:
            events = self._waiting[job_id]
            events.remove(woken)
            if not events:
                del self._waiting[job_id], self._lane_of[job_id]

    def _wake(self, ids: Iterable[UUID]) -> None:
        ids = list(ids)
        if not ids:
            return
        with self._sessions() as session:
            done = jobs.finished(session, ids)
        with self._lock:
            for job_id in done:
                for woken in self._waiting.get(job_id, ()):
                    woken.set()

    def _listen(self) -> None:
        while True:
            try:
                self._listen_on_one_connection()
            except Exception as error:  # noqa: BLE001  without it nobody is woken
                if self._ended():
                    return
                _log.warning("listener_disturbed", error=repr(error))
                time.sleep(_AWAY_SECONDS)

    def _ended(self) -> bool:
        """Return whether nobody waits; whoever comes next starts another listener."""
        with self._lock:
            if not self._waiting:
                self._listener = None
            return self._listener is None

    def _listen_on_one_connection(self) -> None:
        isolated = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with isolated.connect() as connection:
            # Its own, closed and not pooled when it breaks or ends.
            connection.detach()
            connection.exec_driver_sql(f"LISTEN {jobs.CHANNEL}")
            driver: Any = connection.connection.dbapi_connection
            # Unlike select(), it takes the descriptors of a process with thousands.
            notices = select.poll()
            notices.register(driver, select.POLLIN)
            while True:
                ready = notices.poll(_LOOK_SECONDS * 1_000)
                if ready:
                    driver.poll()
                lanes = {notice.payload for notice in driver.notifies}
                driver.notifies.clear()
                with self._lock:
                    due = [
                        job_id
                        for job_id, lane in self._lane_of.items()
                        if not ready or lane in lanes
                    ]
                self._wake(due)
