"""The webhooks queue: its doorbell says that deliveries are due."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from domain import webhooks
from domain.jobs import Claim
from tasks import _delivering
from tasks._doorbell import WEBHOOKS
from tasks._registry import long_job, on_doorbell

FORGET: Final = "webhooks.forget"
_EVERY_SECONDS: Final = 600
_ROWS_MAX: Final = 10_000
KEPT: Final = timedelta(days=30)


@on_doorbell(WEBHOOKS[0])
def deliver() -> None:
    """Send every delivery that is due."""
    _delivering.deliver()


@long_job(FORGET, every_seconds=_EVERY_SECONDS)
def forget(session: Session, _claim: Claim, *, now: datetime) -> dict[str, Any]:
    """Delete deliveries that are too old to be asked for."""
    return {"forgotten": webhooks.forget(session, count=_ROWS_MAX, before=now - KEPT)}
