"""Drain a lane: claim, apply, commit, until nothing is due or the turn is over."""

import os
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import groupby, takewhile
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from domain import jobs, ledger
from domain.db import create_engine, session_factory
from domain.jobs import Claim, Outcome, Superseded
from domain.settings import Settings
from tasks import _done, _doorbell, _figures, _leases, _traces
from tasks._busy import working
from tasks._copies import Copies
from tasks._done import Stopwatch
from tasks._registry import has_long, kinds

_log = structlog.get_logger()

BATCH_JOBS: Final = 500
BATCH_ENTRIES: Final = 5_000
# After its turn a drain rings again and lets other lanes in.
TURN_SECONDS: Final = 2.0
_DISTURBANCES_MAX: Final = 5
_DISTURBED_SECONDS: Final = 0.25
_QUERY_CANCELED: Final = "57014"

# How many jobs of a lane are tried together next. It outlives the turn, which may be
# over before the first try of a poisoned batch has failed.
_limits: Final[dict[tuple[str, int], int]] = {}


class _Poisoned(Exception):
    """A batch that fails however often it is tried; its jobs must be parted."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = claims
        super().__init__(f"{len(claims)} jobs")


@cache
def settings() -> Settings:
    """Return the process's settings."""
    return Settings.from_environ(os.environ)


@cache
def sessions() -> sessionmaker[Session]:
    """Return the process's sessions, made on first use: nothing crosses a fork."""
    made = session_factory(create_engine(settings()))
    # Not after it: who waits is told by the commit itself, and may read at once.
    sa.event.listen(made, "before_commit", _fence_copies)
    sa.event.listen(made, "after_commit", _figures.committed)
    return made


@cache
def copies() -> Copies:
    """Return the copies of answers that this process makes out of date."""
    return Copies(settings().redis_url, settings().cache_seconds)


def _fence_copies(session: Session) -> None:
    if changed := ledger.changed(session):
        copies().fence(changed)


def drain(queue: str, lane: int) -> None:
    """Apply the lane's due jobs in order until none is left or the turn is over."""
    # Also while it looks whether there are any: who waits for that takes no other.
    with working():
        _take_turn(queue, lane)


def _take_turn(queue: str, lane: int) -> None:
    if has_long(queue):
        # This worker may have a job in hand for long: may others be rung for the rest.
        _doorbell.answer(queue, lane)
    stop = time.monotonic() + TURN_SECONDS
    disturbances = 0
    while time.monotonic() < stop:
        try:
            if not _advance(queue, lane):
                return
        except (OperationalError, Superseded) as error:
            disturbances += 1
            _log.warning("batch_disturbed", queue=queue, lane=lane, error=repr(error))
            if disturbances == _DISTURBANCES_MAX:
                _doorbell.answer(queue, lane)
                return
            time.sleep(random.uniform(0, _DISTURBED_SECONDS))  # noqa: S311  jitter
    _doorbell.answer(queue, lane)
    _doorbell.ring(queue, lane)


def _advance(queue: str, lane: int) -> bool:
    """Apply one batch or find out that it must be smaller; say whether to go on."""
    limit = _limits.get((queue, lane), BATCH_JOBS)
    watch = Stopwatch()
    try:
        count = _step(queue, lane, limit)
    except _Poisoned as poisoned:
        _limits[queue, lane] = _part(poisoned, watch)
        return True
    _limits[queue, lane] = min(BATCH_JOBS, limit * 2)
    if count is None:
        # Whoever has the lane answers the doorbell, and looks again after that.
        return False
    if count:
        return True
    # Until now nobody rang anew, for we were here; what came meanwhile is seen now.
    _doorbell.answer(queue, lane)
    return _pending(queue, lane)


def _step(queue: str, lane: int, limit: int) -> int | None:
    """Apply one batch; return its size, or None when another worker has the lane."""
    began, watch = datetime.now(UTC), Stopwatch()
    with sessions().begin() as session:
        if not jobs.hold_lane(session, queue=queue, lane=lane):
            return None
        claims = jobs.claim(
            session, queue=queue, lane=lane, count=limit, size=BATCH_ENTRIES, now=began
        )
        if not claims:
            return 0
        if leased := _leases.take(session, claims[0], now=began):
            # All there was room for: of what is behind it nobody knows.
            more = len(claims) > 1 or limit == 1
            claims = claims[:1]
        else:
            claims = list(takewhile(lambda claim: not _leases.is_long(claim), claims))
            outcomes, heard = _apply(session, claims, lane=lane, began=began)
    if leased:
        if more:
            # One idle worker takes the next, and rings for the one after it.
            _doorbell.ring(queue, lane)
        _leases.run(sessions(), leased, attempts_max=settings().attempts_max)
    else:
        _report(queue, lane, claims, outcomes, began)
        _done.add_batch(claims, outcomes, watch)
        if heard:
            _doorbell.ring(*_doorbell.WEBHOOKS)
    return len(claims)


def _apply(
    session: Session, claims: Sequence[Claim], *, lane: int, began: datetime
) -> tuple[list[Outcome], bool]:
    """Return what became of the jobs, and whether a webhook may have to be sent."""
    outcomes: list[Outcome] = []
    try:
        # Runs of one handler, so that jobs of several kinds keep their order.
        for handler, run in groupby(claims, key=lambda claim: kinds[claim.kind].batch):
            if handler is not None:
                outcomes += handler(session, list(run), lane=lane, now=began)
        now = datetime.now(UTC)
        heard = jobs.finish(session, outcomes, began=began, now=now)
    except Superseded:
        raise
    except OperationalError as error:
        # A statement that took too long takes as long again: fewer rows may not.
        if getattr(error.orig, "pgcode", None) != _QUERY_CANCELED:
            raise
        raise _Poisoned(claims) from error
    except Exception as error:
        raise _Poisoned(claims) from error
    return outcomes, heard


def _part(poisoned: _Poisoned, watch: Stopwatch) -> int:
    """Return the size to try next; a job that fails alone has failed an attempt."""
    if len(poisoned.claims) == 1:
        claim = poisoned.claims[0]
        _leases.record_failure(
            sessions(), claim, claim.attempts + 1, attempts_max=settings().attempts_max
        )
        _done.add(claim.kind, watch, failed=True)
    return max(1, len(poisoned.claims) // 2)


def _pending(queue: str, lane: int) -> bool:
    with sessions().begin() as session:
        return jobs.pending(session, queue=queue, lane=lane, now=datetime.now(UTC))


def _report(
    queue: str,
    lane: int,
    claims: Sequence[Claim],
    outcomes: Sequence[Outcome],
    began: datetime,
) -> None:
    elapsed = datetime.now(UTC) - began
    refused = sum(1 for outcome in outcomes if outcome.refusal)
    _log.info(
        "batch_applied",
        queue=queue,
        lane=lane,
        jobs=len(claims),
        refused=refused,
        ms=round(elapsed.total_seconds() * 1000, 1),
    )
    _figures.applied(queue, claims, outcomes, began)
    for claim, outcome in zip(claims, outcomes, strict=True):
        _traces.report(claim, outcome, began=began)
