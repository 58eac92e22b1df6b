"""The webhooks queue: its doorbell says that deliveries are due."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from domain import webhooks
from domain.jobs import Claim
from tasks import _delivering
from tasks._doorbell import WEBHOOKS
from tasks._registry import long_job, on_doorbell

TIDY: Final = "webhooks.tidy"
_EVERY_SECONDS: Final = 60
# More than are sent in that time.
_ROWS_MAX: Final = 20_000
KEPT: Final = timedelta(days=30)


@on_doorbell(WEBHOOKS[0])
def deliver() -> None:
    """Send every delivery that is due."""
    _delivering.deliver()


@long_job(TIDY, every_seconds=_EVERY_SECONDS)
def tidy(session: Session, _claim: Claim, *, now: datetime) -> dict[str, Any]:
    """Forget deliveries that are old, and endpoints that have fallen far behind."""
    disabled = webhooks.give_up_behind(session, now=now)
    forgotten = webhooks.forget(session, count=_ROWS_MAX, before=now - KEPT)
    return {"disabled": disabled, "forgotten": forgotten}
