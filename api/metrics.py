"""Figures for Prometheus; queue figures are read from the database when asked."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import falcon
import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector, CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from api.openapi.describing import describes
from api.shapes.operating import METRICS
from domain import jobs, webhooks

_log = structlog.get_logger()

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)

_requests_seconds = Histogram(
    "coin_http_request_seconds",
    "Time to answer a request",
    ["method", "route", "status"],
    buckets=_SECONDS,
)


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request answered."""
    _answered(method, route, status).observe(seconds)


# Found by its labels, a figure takes longer than to be counted.
@lru_cache(maxsize=1_024)
def _answered(method: str, route: str, status: int) -> Histogram:
    return _requests_seconds.labels(method, route, status)


intake_jobs = Histogram(
    "coin_intake_flush_jobs",
    "Jobs stored by one statement",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
intake_waiting = Gauge(
    "coin_intake_waiting_jobs", "Jobs not yet stored", multiprocess_mode="livesum"
)
intake_refused = Counter("coin_intake_refused_total", "Jobs refused with 503")
limited_requests = Counter(
    "coin_rate_limited_total", "Requests refused with 429", ["policy"]
)
blocked_requests = Counter("coin_blocked_total", "Requests of blocked callers")
logins_failed = Counter("coin_logins_failed_total", "Logins that failed")
doorbells = Counter("coin_doorbells_total", "Doorbells rung", ["outcome"])
cache_reads = Counter(
    "coin_cache_reads_total", "Reads that looked for a copy", ["what", "outcome"]
)


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


class Deliveries(Collector):
    """Webhooks that wait, are under way or have failed, from their table."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Register without asking the database."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Count deliveries; no figure at all when the database is away."""
        found = GaugeMetricFamily(
            "coin_webhook_deliveries",
            "Webhooks not delivered",
            labels=["application", "state"],
        )
        try:
            with self._sessions() as session:
                for application, state, count in webhooks.depths(session):
                    found.add_metric([application, state], count)
        except SQLAlchemyError as error:
            _log.warning("deliveries_unknown", error=repr(error))
            return
        yield found


class Metrics:
    """GET /metrics."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._queues = CollectorRegistry()
        self._queues.register(Queues(sessions))
        self._queues.register(Deliveries(sessions))

    @describes({200: {"text/plain": METRICS}})
    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer every figure in Prometheus's text format."""
        resp.content_type = CONTENT_TYPE_LATEST
        resp.data = generate_latest(_figures()) + generate_latest(self._queues)


def _figures() -> CollectorRegistry:
    """Return the figures of all API processes on this host, or of this one alone."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
