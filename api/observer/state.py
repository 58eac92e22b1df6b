"""The node itself, the host, the database and what waits in the queues."""

import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

import falcon
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.observer import answers
from api.observer.host import Host
from api.observer.snapshots import Snapshot

_log = structlog.get_logger()

_SERVICE: Final = "Global Observability Node"
_VERSION: Final = version("peoples-coin")
_AWAY: Final = "The database does not answer."
# The controller samples every few seconds: what is older tells of no queue of today.
_SAMPLE_SECONDS_MAX: Final = 30

_ACTIVITY: Final = sa.text("""
    SELECT numbackends AS active_connections,
           xact_commit AS transactions_committed,
           xact_rollback AS transactions_rolled_back,
           blks_read AS blocks_read, blks_hit AS blocks_hit,
           coalesce(100.0 * blks_hit / nullif(blks_hit + blks_read, 0), 0)::float8
               AS cache_hit_ratio,
           tup_returned AS tuples_returned, tup_fetched AS tuples_fetched,
           tup_inserted AS tuples_inserted, tup_updated AS tuples_updated,
           tup_deleted AS tuples_deleted, clock_timestamp() AS timestamp
    FROM pg_stat_database WHERE datname = current_database()
""")
_SAMPLE: Final = sa.text("""
    SELECT at AS sampled_at, extract(epoch FROM now() - at)::float8 AS age_seconds,
           measured -> 'queues' AS queues, measured -> 'crews' AS workers
    FROM workload_samples ORDER BY at DESC LIMIT 1
""")
_EVALUATED: Final = sa.text("SELECT max(until) FROM controller_actions")


class Health:
    """GET /health."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Say that the node answers; nothing else is asked."""
        answers.allow(req)
        resp.media = {
            "status": "ok",
            "service": _SERVICE,
            "version": _VERSION,
            "uptime_seconds": time.monotonic() - self._began,
            "timestamp": datetime.now(UTC),
        }


class SystemState:
    """GET /api/system_state; what cannot be found out is said to be so."""

    def __init__(self, engine: sa.Engine, *, kubernetes: bool) -> None:
        self._engine = engine
        self._host = Host()
        self._kubernetes = kubernetes
        self._found = Snapshot(self._look)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show host, database and queues."""
        answers.allow(req)
        found = self._found()
        answers.show(req, resp, found.show(None, lambda: found.content))

    def _look(self) -> dict[str, Any]:
        return {
            "system_metrics": self._host.measure(),
            "kubernetes_enabled": self._kubernetes,
            **self._stored(),
        }

    def _stored(self) -> dict[str, Any]:
        try:
            with self._engine.connect() as connection:
                activity = dict(connection.execute(_ACTIVITY).mappings().one())
                sample = connection.execute(_SAMPLE).mappings().first()
                evaluated = connection.execute(_EVALUATED).scalar()
        except SQLAlchemyError as error:
            _log.warning("database_unavailable", error=repr(error))
            return _told({"error": _AWAY}, None, None)
        return _told(activity, sample, evaluated)


def _told(
    activity: dict[str, Any],
    sample: sa.RowMapping | None,
    evaluated: datetime | None,
) -> dict[str, Any]:
    return {
        "database_activity": activity,
        "redis_queue_depth": sample and _depth(sample),
        "last_controller_evaluation": evaluated,
        "workload": sample and dict(sample),
    }


def _depth(sample: sa.RowMapping) -> int | None:
    """Return the broker's messages; None where nobody counted them lately."""
    if sample["age_seconds"] > _SAMPLE_SECONDS_MAX:
        return None
    messages = [load.get("messages") for load in sample["queues"].values()]
    counted = [count for count in messages if count is not None]
    return sum(counted) if counted else None
