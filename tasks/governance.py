"""The governance queue: ballots, tallies, and what follows a decision."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from domain.councils import countback
from domain.governance import (
    advancing,
    announcing,
    casting,
    counts,
    executing,
    refunding,
    tallying,
)
from domain.governance.cases import find
from domain.jobs import Claim, Outcome
from tasks import _figures
from tasks._drain import sessions, settings
from tasks._registry import batch_job, long_job
from tasks._sealing import unseal

_log = structlog.get_logger()

_ADVANCE_EVERY_SECONDS: Final = 10
_PROPOSALS_MAX: Final = 100
_REFUND_EVERY_SECONDS: Final = 30
# The treasury stands still while so many are paid.
_REFUNDED_MAX: Final = 1_000
# Of the treasury's shards, the one that spends are made from.
_LANE: Final = 0


@batch_job(casting.CAST, casting.CAST_SECRET)
def cast(
    session: Session, claims: Sequence[Claim], /, *, lane: int, now: datetime
) -> list[Outcome]:
    """Cast ballots; secret ones are unsealed here, and nowhere else."""
    opened = [_opened(claim) for claim in claims]
    return casting.cast(session, opened, lane=lane, now=now)


def _opened(claim: Claim) -> Claim:
    if claim.kind != casting.CAST_SECRET or claim.principal is None:
        return claim
    secret = settings().token_secret
    payload = unseal(claim.payload, secret=secret, voter=claim.principal)
    return claim._replace(payload=payload)


@long_job(advancing.ADVANCE, every_seconds=_ADVANCE_EVERY_SECONDS)
def advance(_session: Session, _claim: Claim, /, *, now: datetime) -> dict[str, int]:
    """Freeze, count, carry out and announce whatever it is time for.

    Each proposal in a transaction of its own: no lock is held longer than that takes,
    and what fails for one holds up no other.
    """
    with sessions().begin() as session:
        due = announcing.due(session, now=now, count=_PROPOSALS_MAX)
    done: Counter[str] = Counter()
    for proposal_id in sorted(due):
        done.update(_advance(proposal_id, now=now))
    return dict(done)


def _advance(proposal_id: UUID, *, now: datetime) -> list[str]:
    lanes = settings().ledger_lanes
    try:
        with sessions().begin() as session:
            return list(advancing.advance(session, proposal_id, lanes=lanes, now=now))
    except Exception:  # noqa: BLE001  whatever it is, the others go on
        _log.exception("proposal_not_advanced", proposal=str(proposal_id))
        return ["failed"]


@long_job(tallying.TALLY)
def tally(session: Session, claim: Claim, /, *, now: datetime) -> dict[str, Any]:
    """Count the next ballots of a proposal whose vote has closed."""
    done = tallying.run(session, claim, now=now)
    if "outcome" in done and _figures.wanted():
        times = find(session, UUID(claim.payload["proposal_id"])).timeline
        if times is not None:
            _figures.tallied(now - times.closes)
    return done


@long_job(counts.COUNT)
def count(session: Session, claim: Claim, /, *, now: datetime) -> dict[str, Any]:
    """Count the ballots of a proposal by another method, for advice."""
    return counts.run(session, claim, now=now)


@long_job(countback.FILL)
def fill_seat(session: Session, claim: Claim, /, *, now: datetime) -> dict[str, Any]:
    """Give a seat that ended early to the next by the same ballots."""
    return countback.run(session, claim, now=now)


@long_job(executing.EXECUTE)
def execute(session: Session, claim: Claim, /, *, now: datetime) -> dict[str, Any]:
    """Carry out a proposal that has passed, when its time has come."""
    proposal_id = UUID(claim.payload["proposal_id"])
    done = executing.execute(session, proposal_id, lane=_LANE, job_id=claim.id, now=now)
    announcing.announce(session, proposal_id, now=now)
    return done or {"executed": False}


@long_job(refunding.REFUND, every_seconds=_REFUND_EVERY_SECONDS)
def refund(session: Session, claim: Claim, /, *, now: datetime) -> dict[str, int]:
    """Give back what votes on cancelled proposals cost."""
    paid = refunding.refund(
        session, lane=_LANE, job_id=claim.id, count=_REFUNDED_MAX, now=now
    )
    return {"refunded": paid}
