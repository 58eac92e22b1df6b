"""Long jobs: run alone under a lease that a heartbeat renews while they live."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from domain import jobs
from domain.errors import DomainError
from domain.jobs import Claim, Outcome, Superseded
from tasks import _done, _figures, _traces
from tasks._done import Stopwatch
from tasks._registry import kinds

_log = structlog.get_logger()

LEASE: Final = timedelta(seconds=10)
_HEARTBEAT_SECONDS: Final = 3.0


def is_long(claim: Claim) -> bool:
    """Say whether the job runs alone, under a lease."""
    kind = kinds.get(claim.kind)
    return kind is not None and kind.long is not None


def take(session: Session, claim: Claim, *, now: datetime) -> Claim | None:
    """Lease the job if it is a long one."""
    if not is_long(claim):
        return None
    return jobs.lease(session, claim.id, until=now + LEASE, now=now)


def run(sessions: sessionmaker[Session], claim: Claim, *, attempts_max: int) -> None:
    """Run a leased job; its effects and its outcome are one transaction."""
    handler = kinds[claim.kind].long
    assert handler is not None, "only long jobs are leased"  # noqa: S101
    watch = Stopwatch()
    refused = failed = False
    try:
        with (
            _heartbeat(sessions, claim),
            _traces.followed(claim),
            _figures.followed(claim),
            sessions.begin() as session,
        ):
            result = handler(session, claim, now=datetime.now(UTC))
            done = Outcome(claim.id, result=result)
            jobs.finish_leased(session, claim, done, now=datetime.now(UTC))
    except DomainError as refusal:
        refused = True
        with sessions.begin() as session:
            done = Outcome(claim.id, refusal=refusal)
            jobs.finish_leased(session, claim, done, now=datetime.now(UTC))
    except Superseded as error:
        _log.warning("lease_lost", error=str(error), **_traces.named(claim))
        return  # it is counted by whoever runs it now
    except Exception:  # noqa: BLE001  whatever it is, the job must answer
        failed = True
        record_failure(sessions, claim, claim.attempts, attempts_max=attempts_max)
    else:
        # The owner of a long job asks for it; the periodic ones are many.
        level = _log.info if claim.application else _log.debug
        level("job_succeeded", **_traces.named(claim))
    _done.add(claim.kind, watch, refused=refused, failed=failed)


def record_failure(
    sessions: sessionmaker[Session], claim: Claim, attempt: int, *, attempts_max: int
) -> None:
    """Store the failed attempt of the exception in hand; the log has its reason."""
    with sessions.begin() as session:
        final = jobs.fail(
            session,
            claim.id,
            attempt=attempt,
            attempts_max=attempts_max,
            now=datetime.now(UTC),
        )
    _figures.failed(claim, final=final)
    _log.exception(
        "job_failed" if final else "job_will_be_retried",
        attempt=attempt,
        **_traces.named(claim),
    )


@contextmanager
def _heartbeat(sessions: sessionmaker[Session], claim: Claim) -> Iterator[None]:
    done = threading.Event()
    beat = threading.Thread(target=_beat, args=(sessions, claim, done), daemon=True)
    beat.start()
    try:
        yield
    finally:
        done.set()
        beat.join()


def _beat(sessions: sessionmaker[Session], claim: Claim, done: threading.Event) -> None:
    while not done.wait(_HEARTBEAT_SECONDS):
        try:
            with sessions.begin() as session:
                jobs.renew(session, claim, until=datetime.now(UTC) + LEASE)
        except Superseded:
            return
        except SQLAlchemyError as error:
            _log.warning("heartbeat_failed", job=claim.id, error=repr(error))
