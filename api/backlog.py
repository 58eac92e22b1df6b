"""What waits for workers, and who works, as the database has it."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from domain import webhooks, workers, workload
from domain.governance import figures, listing
from domain.workload import Crew, QueueLoad
from tasks import kinds

_log = structlog.get_logger()

# However many ask, and however often: the database is read so seldom.
READ_SECONDS: Final = 1.0


class Backlog(Collector):
    """Queues, workers, webhooks, governance; nothing while the database is away."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._reading = threading.Lock()
        self._read: list[GaugeMetricFamily] = []
        self._again = 0.0

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Register without asking the database."""
        yield from ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return what was read a moment ago, or what is there now."""
        with self._reading:
            if time.monotonic() >= self._again:
                self._read = self._look()
                self._again = time.monotonic() + READ_SECONDS
            return self._read

    def _look(self) -> list[GaugeMetricFamily]:
        now = datetime.now(UTC)
        try:
            with self._sessions() as session:
                return [
                    *_queues(workload.queues(session, now=now)),
                    _workers(workload.crews(session, now=now)),
                    _deliveries(webhooks.depths(session)),
                    *_governance(session, now),
                ]
        except SQLAlchemyError as error:
            _log.warning("backlog_unknown", error=repr(error))
            return []


def _queues(found: dict[str, QueueLoad]) -> Iterator[GaugeMetricFamily]:
    depth = GaugeMetricFamily(
        "coin_queue_depth_jobs", "Jobs that are not finished", labels=["queue", "state"]
    )
    oldest = GaugeMetricFamily(
        "coin_queue_oldest_seconds",
        "Time the oldest job that could begin has waited",
        labels=["queue"],
    )
    target = GaugeMetricFamily(
        "coin_queue_target_seconds",
        "Age that the oldest job of a queue may have",
        labels=["queue", "group"],
    )
    # A queue that rests is told of: what is missing was not looked for.
    for queue in {kind.queue for kind in kinds.values()} | found.keys():
        load = found.get(queue, QueueLoad())
        depth.add_metric([queue, "ready"], load.ready)
        depth.add_metric([queue, "delayed"], load.delayed)
        depth.add_metric([queue, "running"], load.running)
        oldest.add_metric([queue], load.oldest)
        group = workers.group_of(queue)
        target.add_metric([queue, group.name], group.target_seconds)
    yield from (depth, oldest, target)


def _workers(found: dict[str, Crew]) -> GaugeMetricFamily:
    told = GaugeMetricFamily(
        "coin_workers", "Workers by heartbeat", labels=["group", "state"]
    )
    for group in workers.GROUPS:
        crew = found.get(group, Crew())
        told.add_metric([group, "alive"], crew.alive)
        told.add_metric([group, "busy"], crew.busy)
    return told


def _deliveries(found: Iterable[tuple[str, str, int]]) -> GaugeMetricFamily:
    told = GaugeMetricFamily(
        "coin_webhook_deliveries",
        "Webhooks not delivered",
        labels=["application", "state"],
    )
    for application, state, count in found:
        told.add_metric([application, state], count)
    return told


def _governance(session: Session, now: datetime) -> Iterator[GaugeMetricFamily]:
    yield _by_state(
        "coin_proposals",
        "Proposals by the state last announced",
        listing.counts(session),
    )
    yield _by_state(
        "coin_tallies", "Votes that are being counted or are", figures.tallies(session)
    )
    yield _by_state(
        "coin_council_seats", "Seats of councils", figures.seats(session, now=now)
    )
    yield _by_state("coin_bounties", "Bounties", figures.bounties(session, now=now))


def _by_state(name: str, about: str, found: Mapping[str, int]) -> GaugeMetricFamily:
    told = GaugeMetricFamily(name, about, labels=["state"])
    for state, count in found.items():
        told.add_metric([state], count)
    return told
