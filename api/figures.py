"""What the API's processes count for Prometheus."""

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import falcon
import sqlalchemy as sa
from prometheus_client import Counter, Gauge, Histogram

from api import errors
from domain.jobs import Submission

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


_intake_jobs = Histogram(
    "coin_intake_flush_jobs",
    "Jobs stored by one statement",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
_intake_seconds = Histogram(
    "coin_intake_flush_seconds", "Time of one such statement", buckets=_SECONDS
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
_submissions = Counter(
    "coin_submissions_total",
    "Jobs asked for: accepted, replayed, or in conflict with an earlier one",
    ["kind", "outcome"],
)


def count_submissions(stored: Sequence[Submission], seconds: float) -> None:
    """Count what one statement stored, and what it found stored before."""
    _intake_jobs.observe(len(stored))
    _intake_seconds.observe(seconds)
    found = Tally([(one.job.kind, _outcome_of(one)) for one in stored])
    for (kind, outcome), count in found.items():
        _submitted(kind, outcome).inc(count)


@lru_cache(maxsize=1_024)
def _submitted(kind: str, outcome: str) -> Counter:
    return _submissions.labels(kind, outcome)


def _outcome_of(submission: Submission) -> str:
    if submission.error is not None:
        return "conflict"
    return "accepted" if submission.earlier is None else "replayed"


_operations_accepted = Counter(
    "coin_operations_accepted_total",
    "Ledger operations accepted",
    ["application", "operation"],
)


def count_operations(application: str, operations: Mapping[str, int]) -> None:
    """Count ledger operations accepted; they are among those there are."""
    for operation, count in operations.items():
        _accepted(application, operation).inc(count)


@lru_cache(maxsize=1_024)
def _accepted(application: str, operation: str) -> Counter:
    return _operations_accepted.labels(application, operation)


doorbells = Counter("coin_doorbells_total", "Doorbells rung", ["outcome"])
# Prometheus sees a counter rise only from a value it has seen.
for _outcome in ("rung", "failed"):
    doorbells.labels(_outcome)
cache_reads = Counter(
    "coin_cache_reads_total",
    "Reads of what may be copied, by whether a copy answered",
    ["what", "outcome"],
)
_pool_timeouts = Counter(
    "coin_database_pool_timeouts_total",
    "Requests that waited in vain for a connection to the database",
)
_pool_connections = Gauge(
    "coin_database_pool_connections",
    "Connections in use, and the most there may be",
    ["state"],
    multiprocess_mode="livesum",
)


def watch_pool(engine: sa.Engine, size: int) -> None:
    """Tell how many of a process's connections to the database are in use."""
    in_use = _pool_connections.labels("in_use")
    _pool_connections.labels("most").set(size)
    sa.event.listen(engine, "checkout", lambda *_: in_use.inc())
    sa.event.listen(engine, "checkin", lambda *_: in_use.dec())


def on_pool_timeout(
    req: falcon.Request, resp: falcon.Response, error: Exception, params: Any
) -> None:
    """Count a request that got no connection, and answer as when none can be had."""
    _pool_timeouts.inc()
    errors.on_database_away(req, resp, error, params)
