"""Jobs that send mail to people made for it, always some of them queued."""

import threading
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from bench.publisher import Publisher
from bench.stack import Stack
from domain import jobs, users
from domain.db import create_engine, session_factory
from domain.ids import uuid7
from domain.jobs import Job, NewJob
from domain.password_resets import SEND
from domain.principals import PEOPLES_APPLICATION
from domain.settings import Settings

_QUEUE = SEND.partition(".")[0]
_LANES = 32
_QUEUED_MAX = 64
_EVERY_SECONDS = 0.1


class Mails:
    """Jobs that send a mail each to a person of its own, always some of them queued."""

    def __init__(self, stack: Stack) -> None:
        self.sent: dict[str, str] = {}  # job ids by address
        self._sessions: sessionmaker[Session] = session_factory(
            create_engine(Settings(database_url=stack.database))
        )
        self._publisher = Publisher(stack.redis or "")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin to submit."""
        self._thread.start()

    def stop(self) -> None:
        """Submit no more."""
        self._stop.set()
        self._thread.join()

    def close(self) -> None:
        """Let go of connections."""
        self._publisher.close()
        self._sessions.kw["bind"].dispose()

    def queued(self) -> int:
        """Return how many have not begun."""
        waiting = sa.select(sa.func.count()).where(
            Job.kind == SEND, Job.state == "queued"
        )
        with self._sessions() as session:
            return session.scalar(waiting) or 0

    def rows(self) -> list[tuple[str, str, int]]:
        """Return each job's id, its state and how often it was tried."""
        found = sa.select(Job.id, Job.state, Job.attempts).where(Job.kind == SEND)
        with self._sessions() as session:
            rows = session.execute(found)
            return [(str(job), state, attempts) for job, state, attempts in rows]

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            lanes = self._submit(_QUEUED_MAX - self.queued())
            for lane in sorted(lanes):
                self._publisher.ring(_QUEUE, lane)

    def _submit(self, count: int) -> set[int]:
        """Submit so many more; return the lanes they are in."""
        now = datetime.now(UTC)
        made = []
        with self._sessions.begin() as session:
            for _ in range(count):
                number = len(self.sent)
                address = f"person-{number}@example.org"
                users.create(
                    session, username=f"person-{number}", email=address, now=now
                )
                job = NewJob(
                    id=uuid7(),
                    kind=SEND,
                    queue=_QUEUE,
                    lane=number % _LANES,
                    payload=f'{{"email": "{address}"}}',
                    submitted_at=now,
                    deadline=now + timedelta(days=1),
                    application=PEOPLES_APPLICATION,
                )
                made.append(job)
                self.sent[address] = str(job.id)
            jobs.submit(session, made)
        return {job.lane for job in made}
