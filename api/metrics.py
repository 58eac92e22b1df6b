"""Figures for Prometheus; queue figures are read from the database when asked."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import falcon
import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector, CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from domain import jobs

_log = structlog.get_logger()

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)

requests_seconds = Histogram(
    "coin_http_request_seconds",
    "Time to answer a request",
    ["method", "route", "status"],
    buckets=_SECONDS,
)
intake_jobs = Histogram(
    "coin_intake_flush_jobs",
    "Jobs stored by one statement",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
intake_waiting = Gauge("coin_intake_waiting_jobs", "Jobs not yet stored")
intake_refused = Counter("coin_intake_refused_total", "Jobs refused with 503")
doorbells = Counter("coin_doorbells_total", "Doorbells rung", ["outcome"])


class Queues(Collector):
    """Depth and oldest age of each queue, from the job table."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Register without asking the database."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the queues; no figure at all when the database is away."""
        depth = GaugeMetricFamily(
            "coin_queue_depth_jobs", "Queued jobs", labels=["queue", "lane"]
        )
        age = GaugeMetricFamily(
            "coin_queue_oldest_seconds",
            "Age of the oldest queued job",
            labels=["queue", "lane"],
        )
        now = datetime.now(UTC)
        try:
            with self._sessions() as session:
                for queue, lane, count, oldest in jobs.depths(session):
                    labels = [queue, str(lane)]
                    depth.add_metric(labels, count)
                    age.add_metric(labels, (now - oldest).total_seconds())
        except SQLAlchemyError as error:
            _log.warning("queues_unknown", error=repr(error))
            return
        yield depth
        yield age


class Metrics:
    """GET /metrics."""

    public = True

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._queues = CollectorRegistry()
        self._queues.register(Queues(sessions))

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer every figure in Prometheus's text format."""
        resp.content_type = CONTENT_TYPE_LATEST
        resp.data = generate_latest(REGISTRY) + generate_latest(self._queues)
