"""Is it alive, and would a write succeed: each check says what it saw."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import falcon
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from api.errors import Problem
from api.openapi.describing import describes
from api.shapes.operating import Health as Alive
from api.shapes.operating import Readiness
from domain import jobs
from domain.operations import differences
from domain.schema import shortfall

_log = structlog.get_logger()

_RETRY_AFTER_SECONDS: Final = "2"
# The reconciler runs every few seconds, from beat through broker and worker to the
# database: that it did so lately shows that all of them work.
_CANARY: Final = "maintenance.reconcile"
_CANARY_AGE_MAX: Final = timedelta(seconds=15)


class Health:
    """GET /health."""

    @describes({200: Alive})
    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Say that the process answers; nothing else is asked."""
        resp.media = {"status": "ok"}


class Ready:
    """GET /status/ready."""

    def __init__(
        self, sessions: sessionmaker[Session], broker: Callable[[], str]
    ) -> None:
        self._sessions = sessions
        self._broker = broker

    @describes({200: Readiness}, refuses=["not_ready"])
    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200 when a write would be accepted and applied, else 503 and why."""
        checks = {
            "database": self._check(_database),
            "migrations": self._check(_migrations),
            "operations": self._check(_operations),
            "broker": self._broker(),
            "workers": self._check(_workers),
        }
        away = [name for name, seen in checks.items() if seen not in {"ok", "none"}]
        if away:
            raise Problem(
                503,
                "not_ready",
                f"A write would not succeed now: see {', '.join(away)}.",
                headers={"Retry-After": _RETRY_AFTER_SECONDS},
                ready=False,
                checks=checks,
            )
        resp.media = {"ready": True, "checks": checks}

    def _check(self, look: Callable[[Session], str]) -> str:
        try:
            with self._sessions() as session:
                return look(session)
        except SQLAlchemyError as error:
            _log.warning("not_ready", error=repr(error))
            return "the database does not answer"


def _database(session: Session) -> str:
    session.execute(sa.text("SELECT 1"))
    return "ok"


def _migrations(session: Session) -> str:
    return shortfall(session) or "ok"


def _operations(session: Session) -> str:
    return "; ".join(differences(session)) or "ok"


def _workers(session: Session) -> str:
    seen: datetime | None = jobs.last_success(session, _CANARY)
    if seen is None:
        return "no worker has finished a job yet"
    age = datetime.now(UTC) - seen
    if age > _CANARY_AGE_MAX:
        return f"no worker has finished {_CANARY} for {age.total_seconds():.0f} s"
    return "ok"


def describe_broker(check: Callable[[], Any], *, configured: bool) -> str:
    """Return the broker's state in a word: ok, none, or what went wrong."""
    if not configured:
        return "none"
    try:
        check()
    except Exception as error:  # noqa: BLE001  brokers fail in many types
        _log.warning("broker_away", error=repr(error))
        return "the broker does not answer"
    return "ok"
