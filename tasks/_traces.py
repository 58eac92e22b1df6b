"""What a worker writes down about a job names its request and its trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import structlog

import tracing
from domain.errors import DomainError
from domain.jobs import Claim, Outcome

_log = structlog.get_logger()

_KIND: Final = "CONSUMER"


def named(claim: Claim) -> dict[str, str]:
    """Return what a log line says of a job."""
    said = {
        "job": str(claim.id),
        "kind": claim.kind,
        "request": claim.request_id,
        "trace": claim.trace,
    }
    return {name: value for name, value in said.items() if value is not None}


def report(claim: Claim, outcome: Outcome, *, began: datetime) -> None:
    """Write down what became of a short job, applied since then among others."""
    state = "refused" if outcome.refusal else "succeeded"
    # Of each among hundreds a line, for those alone that somebody follows.
    say = _log.info if claim.trace else _log.debug
    say("job_applied", state=state, **named(claim))
    span = tracing.begin(claim.kind, kind=_KIND, parent=claim.trace, began=began)
    if span is not None:
        span.end(attributes={**_attributes(claim), "coin.job.state": state})


@contextmanager
def followed(claim: Claim) -> Iterator[None]:
    """Run a long job in its request's trace; its log lines name both."""
    span = tracing.begin(claim.kind, kind=_KIND, parent=claim.trace)
    failed = False
    with structlog.contextvars.bound_contextvars(**named(claim)):
        try:
            yield
        except DomainError:
            raise
        except BaseException:
            failed = True
            raise
        finally:
            if span is not None:
                span.end(failed=failed, attributes=_attributes(claim))


def _attributes(claim: Claim) -> tracing.Attributes:
    return {
        "coin.job.id": str(claim.id),
        "coin.job.attempt": claim.attempts,
        "coin.application": claim.application,
        "coin.request.id": claim.request_id,
    }
