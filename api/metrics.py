"""Figures as Prometheus reads them: what is counted here, and what waits elsewhere."""

import os

import falcon
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest, multiprocess
from prometheus_client.registry import REGISTRY, CollectorRegistry
from sqlalchemy.orm import Session, sessionmaker

from api.backlog import Backlog
from api.openapi.describing import describes
from api.shapes.operating import METRICS


class Metrics:
    """GET /metrics."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._waiting = CollectorRegistry()
        self._waiting.register(Backlog(sessions))

    @describes({200: {"text/plain": METRICS}})
    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer every figure in Prometheus's text format."""
        resp.content_type = CONTENT_TYPE_LATEST
        resp.data = generate_latest(_figures()) + generate_latest(self._waiting)


def _figures() -> CollectorRegistry:
    """Return the figures of all API processes on this host, or of this one alone."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
