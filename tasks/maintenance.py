"""The maintenance queue: what keeps the promise when messages and workers are lost."""

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final

from sqlalchemy.orm import Session

from domain import jobs, logins, signing_keys, webhooks
from domain.jobs import Claim
from tasks._doorbell import WEBHOOKS, ring
from tasks._drain import settings
from tasks._registry import long_job

RECONCILE: Final = "maintenance.reconcile"
_EVERY_SECONDS: Final = 5
_ROWS_MAX: Final = 1_000
_KEPT: Final = timedelta(days=1)

TEND_LOGINS: Final = "maintenance.tend_logins"
_TEND_EVERY_SECONDS: Final = 3_600
_LOGINS_KEPT: Final = timedelta(days=30)


@long_job(RECONCILE, every_seconds=_EVERY_SECONDS)
def reconcile(session: Session, _claim: Claim, *, now: datetime) -> dict[str, Any]:
    """Expire late jobs, take back lost ones, and ring wherever something is due."""
    expired = jobs.expire(session, count=_ROWS_MAX, now=now)
    lost = jobs.take_back(session, attempts_max=settings().attempts_max, now=now)
    jobs.forget_periodic(session, count=_ROWS_MAX, before=now - _KEPT)
    due = jobs.due_lanes(session, now=now)
    if WEBHOOKS not in due and webhooks.due(session, now=now):
        due.append(WEBHOOKS)
    # A broker that is away for one lane is away for all: each would cost a second.
    rung = sum(takewhile(bool, (ring(queue, lane) for queue, lane in due)))
    return {"expired": expired, "taken_back": len(lost), "rung": rung}


@long_job(TEND_LOGINS, every_seconds=_TEND_EVERY_SECONDS)
def tend_logins(session: Session, _claim: Claim, *, now: datetime) -> dict[str, Any]:
    """Make the next signing key when it is time, and forget logins long over."""
    secret = settings().token_secret
    rotated = signing_keys.rotate_if_due(session, secret=secret, now=now)
    forgotten = logins.forget(session, count=_ROWS_MAX, before=now - _LOGINS_KEPT)
    return {"rotated": rotated, "forgotten": forgotten}
