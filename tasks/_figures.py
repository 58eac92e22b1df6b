"""What workers do, counted for Prometheus; where nobody asked for it, nothing is.

Each function is one line where something is done. None costs anything worth naming
while figures are not wanted, and none disturbs what it counts.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import structlog
from sqlalchemy.orm import Session

from domain import ledger
from domain.errors import DomainError
from domain.jobs import Claim, Outcome
from domain.webhooks import Attempt

if TYPE_CHECKING:
    from tasks._series import Series

_log = structlog.get_logger()

_Given = ParamSpec("_Given")

_series: "Series | None" = None


def use(series: "Series | None") -> None:
    """Count in these from now on; None: no more."""
    global _series  # noqa: PLW0603  where it is counted is the one word of state
    _series = series


def wanted() -> bool:
    """Say whether anything is counted."""
    return _series is not None


def _if_wanted(
    count: "Callable[Concatenate[Series, _Given], None]",
) -> Callable[_Given, None]:
    @wraps(count)
    def counted(*args: _Given.args, **kwargs: _Given.kwargs) -> None:
        series = _series
        if series is None:
            return
        try:
            count(series, *args, **kwargs)
        except Exception:  # noqa: BLE001  what is done matters more than its count
            _log.exception("figures_given_up")
            use(None)

    return counted


@_if_wanted
def applied(
    series: "Series",
    queue: str,
    claims: Sequence[Claim],
    outcomes: Sequence[Outcome],
    began: datetime,
) -> None:
    """Count a batch of short jobs."""
    series.batches.labels(queue).observe(len(claims))
    series.waits.labels(queue).observe_all(
        [_waited(claim, began) for claim in claims if not claim.attempts]
    )
    ended = Counter(
        [
            (claim.kind, "refused" if outcome.refusal else "succeeded")
            for claim, outcome in zip(claims, outcomes, strict=True)
        ]
    )
    share = (datetime.now(UTC) - began).total_seconds() / len(claims)
    for (kind, outcome), count in ended.items():
        series.jobs.labels(kind, outcome).inc(count)
        series.services.labels(kind).observe_times(share, count)
    codes = Counter(one.refusal.code for one in outcomes if one.refusal)
    for code, count in codes.items():
        series.refusals.labels(code).inc(count)


def _waited(claim: Claim, began: datetime) -> float:
    # Clocks of two hosts may differ.
    return max(0.0, (began - claim.submitted_at).total_seconds())


@contextmanager
def followed(claim: Claim) -> Iterator[None]:
    """Count a long job; one that fails is counted where that is recorded."""
    _begun(claim)
    began = time.monotonic()
    try:
        yield
    except DomainError as refusal:
        _ended(claim, refusal, time.monotonic() - began)
        raise
    _ended(claim, None, time.monotonic() - began)


@_if_wanted
def _begun(series: "Series", claim: Claim) -> None:
    if claim.attempts == 1:
        queue = claim.kind.partition(".")[0]
        series.waits.labels(queue).observe(_waited(claim, datetime.now(UTC)))


@_if_wanted
def _ended(
    series: "Series", claim: Claim, refusal: DomainError | None, seconds: float
) -> None:
    series.services.labels(claim.kind).observe(seconds)
    series.jobs.labels(claim.kind, "refused" if refusal else "succeeded").inc()
    if refusal:
        series.refusals.labels(refusal.code).inc()


@_if_wanted
def tallied(series: "Series", took: timedelta) -> None:
    """Count a tally that came to its end."""
    series.tallies.observe(took.total_seconds())


@_if_wanted
def failed(series: "Series", claim: Claim, *, final: bool) -> None:
    """Count an attempt that failed, the last one as the job's end."""
    if final:
        series.jobs.labels(claim.kind, "failed").inc()
    else:
        series.retries.labels(claim.kind).inc()


@_if_wanted
def committed(series: "Series", session: Session) -> None:
    """Count the transfers that a transaction made; a part of one is no end of it."""
    if session.in_nested_transaction():
        return
    made = Counter((one.application, one.operation) for one in ledger.posted(session))
    for (application, operation), count in made.items():
        series.operations.labels(application, operation).inc(count)


@_if_wanted
def rang(series: "Series", *, rung: bool) -> None:
    """Count a doorbell."""
    series.doorbells.labels("rung" if rung else "failed").inc()


@_if_wanted
def sent(series: "Series", attempt: Attempt) -> None:
    """Count an attempt to deliver a webhook."""
    answered = "refused" if attempt.status is not None else "unanswered"
    outcome = "delivered" if attempt.succeeded else answered
    series.deliveries.labels(outcome).observe(attempt.ms / 1000)


@_if_wanted
def reconciled(series: "Series", *, expired: int, lost: int) -> None:
    """Count what the reconciler found."""
    series.expired.inc(expired)
    series.leases_lost.inc(lost)
