"""Heartbeats: every process that runs jobs tells that it lives, and what it has done.

A thread of its own tells it, so that no job silences a worker. It borrows a connection
of the process's pool, as the renewals of leases do: a busy worker keeps two, not three,
and to connect for each beat would cost more than the beat. The pool has more than jobs
and leases hold at once (of four slots, eight of twelve), so that a beat waits for none.
"""

import os
import random
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from domain import workers
from domain.ids import uuid7
from domain.workers import Presence
from tasks import _busy, _done
from tasks._drain import sessions

_log = structlog.get_logger()

BEAT_SECONDS: Final = 2.0
# Workers that were started together do not all beat together.
_JITTER: Final = 0.1
# Without a state: forked workers would share it, and beat together after all.
_chance: Final = random.SystemRandom()
# Who ends does not wait longer for the database; it is found out to be gone anyway.
_LEAVE_SECONDS: Final = 1.0


@contextmanager
def beating(name: str, *, queues: Iterable[str], slots: int) -> Iterator[None]:
    """Beat during the block, as a worker of these queues with so many slots.

    To be begun after a fork: threads do not cross one.
    """
    # What was done before is the parent's to tell.
    _done.take()
    beats = _Beats(
        Presence(
            id=uuid7(),
            name=name,
            worker_group=workers.group_serving(queues).name,
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=slots,
            busy=0,
            started_at=datetime.now(UTC),
        ),
        # Made here, where no other thread can make them a second time.
        sessions(),
    )
    try:
        yield
    finally:
        beats.end()


class _Beats:
    """The heartbeats of one worker, from its start to its end."""

    def __init__(self, presence: Presence, made: sessionmaker[Session]) -> None:
        self._presence = presence
        self._sessions = made
        self._heard = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beats", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Tell what is left to tell, and that this worker is gone, or give up soon."""
        self._over.set()
        self._thread.join(_LEAVE_SECONDS)

    def _run(self) -> None:
        while True:
            over = self._over.is_set()
            self._beat(last=over)
            if over:
                return
            self._over.wait(BEAT_SECONDS * _chance.uniform(1 - _JITTER, 1 + _JITTER))

    def _beat(self, *, last: bool) -> None:
        done = _done.take()
        presence = self._presence._replace(busy=_busy.count())
        try:
            with self._sessions.begin() as session:
                workers.beat(session, presence, done, now=datetime.now(UTC))
                if last:
                    workers.leave(session, presence.id)
        except SQLAlchemyError as error:
            _done.put_back(done)
            # It is away for many beats: said once, and once that it is back.
            if self._heard:
                _log.warning("beats_unheard", error=repr(error))
            self._heard = False
        else:
            if not self._heard:
                _log.info("beats_heard_again")
            self._heard = True
