"""Heartbeats: who is heard of, for targets that cannot see their workers themselves."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from controller.targets import Unavailable
from domain import workers
from domain.workers import Worker


class Heartbeats:
    """Asks the database; nobody heard of is no answer when it is away."""

    def __init__(
        self, sessions: sessionmaker[Session], clock: Callable[[], datetime]
    ) -> None:
        self._sessions = sessions
        self._clock = clock

    def alive(self, group: str) -> int:
        """Return how many workers of a group are heard of, or raise Unavailable."""
        return len(self._heard(group))

    def busy(self, group: str) -> dict[str, int]:
        """Return how many jobs the workers of a group have in hand, by their host."""
        found: dict[str, int] = {}
        for worker in self._heard(group):
            found[worker.host] = found.get(worker.host, 0) + worker.busy
        return found

    def _heard(self, group: str) -> list[Worker]:
        try:
            with self._sessions() as session:
                heard = workers.alive(session, now=self._clock())
        except SQLAlchemyError as error:
            raise Unavailable("the database does not answer") from error
        return [worker for worker in heard if worker.worker_group == group]
