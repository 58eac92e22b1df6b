"""The maintenance queue: what keeps the promise when messages and workers are lost."""

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final

from sqlalchemy.orm import Session

from domain import jobs, logins, scaling, signing_keys, webhooks, workers, workload
from domain.bounties import holding
from domain.bounties import keeping as bounties
from domain.jobs import Claim
from tasks import _figures
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

ROLL_UP: Final = "maintenance.roll_up"
_ROLL_UP_EVERY_SECONDS: Final = 300
# Samples say what was done; of heartbeats only the newest are of use.
_HEARTBEATS_KEPT: Final = timedelta(hours=1)

EXPIRE_BOUNTIES: Final = "maintenance.expire_bounties"
_EXPIRE_EVERY_SECONDS: Final = 60


@long_job(RECONCILE, every_seconds=_EVERY_SECONDS)
def reconcile(session: Session, _claim: Claim, *, now: datetime) -> dict[str, Any]:
    """Expire late jobs, take back lost ones, and ring wherever something is due."""
    expired = jobs.expire(session, count=_ROWS_MAX, now=now)
    lost = jobs.take_back(session, attempts_max=settings().attempts_max, now=now)
    _figures.reconciled(expired=expired, lost=len(lost))
    jobs.forget_periodic(session, count=_ROWS_MAX, before=now - _KEPT)
    due = jobs.due_lanes(session, now=now)
    if WEBHOOKS not in due and webhooks.due(session, now=now):
        due.append(WEBHOOKS)
    # A broker that is away for one lane is away for all: each would cost a second.
    rung = len(list(takewhile(bool, (ring(queue, lane) for queue, lane in due))))
    return {"expired": expired, "taken_back": len(lost), "rung": rung}


@long_job(TEND_LOGINS, every_seconds=_TEND_EVERY_SECONDS)
def tend_logins(session: Session, _claim: Claim, *, now: datetime) -> dict[str, Any]:
    """Make the next signing key when it is time, and forget logins long over."""
    secret = settings().token_secret
    rotated = signing_keys.rotate_if_due(session, secret=secret, now=now)
    forgotten = logins.forget(session, count=_ROWS_MAX, before=now - _LOGINS_KEPT)
    return {"rotated": rotated, "forgotten": forgotten}


@long_job(ROLL_UP, every_seconds=_ROLL_UP_EVERY_SECONDS)
def roll_up(session: Session, _claim: Claim, *, now: datetime) -> dict[str, Any]:
    """Make few rows of samples and quiet cycles long over; forget old heartbeats."""
    workers.forget(session, before=now - _HEARTBEATS_KEPT)
    samples = workload.roll_up(session, now=now)
    actions = scaling.roll_up(session, now=now)
    return {"samples": samples, "actions": actions}


@long_job(EXPIRE_BOUNTIES, every_seconds=_EXPIRE_EVERY_SECONDS)
def expire_bounties(
    session: Session, _claim: Claim, *, now: datetime
) -> dict[str, Any]:
    """Submit what returns the credits of bounties whose time is over.

    A bounty is expired by the clock; here only the work is done that follows. It is
    rung for by whoever reconciles.
    """
    due = bounties.overdue(session, count=_ROWS_MAX, now=now)
    lanes, kept = settings().ledger_lanes, settings().deadline_seconds
    jobs.submit(
        session,
        [
            holding.closing(one, lanes=lanes, deadline=timedelta(seconds=kept), now=now)
            for one in due
        ],
    )
    return {"due": len(due)}
