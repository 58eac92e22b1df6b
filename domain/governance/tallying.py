"""Tallies: from the close of a vote to its result, some ballots a job.

A job counts the ballots that come next and submits the job after it, in one
transaction. Whatever is killed at whatever moment, each ballot is counted once, and the
same result comes of it.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import jobs
from domain.governance import cases, freezing
from domain.governance.ballot_parts import (
    forget_parts,
    gathered,
    read_part,
    read_so_far,
)
from domain.governance.cases import Case
from domain.governance.counting import counted, in_order, is_withheld
from domain.governance.lifecycle import Event, State
from domain.governance.record import ProposalSeed
from domain.governance.voting_record import Tally
from domain.ids import uuid7
from domain.jobs import Claim, NewJob
from domain.principals import PEOPLES_APPLICATION
from domain.tally import canonical

TALLY: Final = "governance.tally"
_QUEUE: Final = TALLY.partition(".")[0]
BALLOTS_A_PART: Final = 50_000
# A request answered with 202 may have been accepted before the close and stored so much
# later (api/intake.py): its ballot counts.
SETTLING: Final = timedelta(seconds=45)
# It looks again after a tenth of the time that it has waited: seconds at first, and not
# a job every second for hours.
_PATIENCE: Final = 10
_ALLOWANCE: Final = timedelta(days=1)

_WAITING: Final = sa.text("""
    SELECT EXISTS (
        SELECT FROM jobs
        WHERE queue = 'governance' AND state = 'queued'
          AND kind IN ('governance.cast', 'governance.cast_secret')
          AND submitted_at < :closes AND payload->>'proposal_id' = :id)
""")


# Two indexes have the jobs that are not over, one for each state.
_IN_HAND: Final = sa.text("""
    SELECT payload->>'proposal_id' AS proposal_id, id FROM jobs
    WHERE state = 'queued' AND queue = 'governance' AND kind = 'governance.tally'
    UNION ALL
    SELECT payload->>'proposal_id', id FROM jobs
    WHERE state = 'running' AND kind = 'governance.tally'
""")


def start(
    session: Session, proposal_id: UUID, *, lane: int, now: datetime
) -> UUID | None:
    """Submit the first job of a tally, or the next where one was lost.

    Returns the job that has it in hand; None when all is counted. Called again it
    changes nothing: of two who call at once one comes second.
    """
    cases.find(session, proposal_id, lock=True)
    if binding(session, proposal_id) is not None:
        return None
    if (working := in_hand(session).get(proposal_id)) is not None:
        return working
    part = read_so_far(session, proposal_id).parts
    return _submit(session, proposal_id, part, lane=lane, now=now)


def in_hand(session: Session) -> dict[UUID, UUID]:
    """Return the jobs that have tallies in hand, by their proposals."""
    return {UUID(row.proposal_id): row.id for row in session.execute(_IN_HAND)}


def run(
    session: Session, claim: Claim, *, now: datetime, count: int = BALLOTS_A_PART
) -> dict[str, Any]:
    """Count the next ballots, or, when there are no more, the votes."""
    payload = claim.payload
    proposal_id, lane = UUID(payload["proposal_id"]), payload["lane"]
    # Ballots are cast under the same lock: one that moves the close does so before the
    # first of them are read, or is refused after it.
    case = cases.find(session, proposal_id, lock=payload["part"] == 0)
    so_far = read_so_far(session, proposal_id)
    if case.state(now) is not State.CLOSED or payload["part"] != so_far.parts:
        # Not yet, no more, or another job has this part.
        return progress(session, case)
    if not so_far.parts and (until := _not_before(session, case, now)):
        _submit(session, proposal_id, 0, lane=lane, now=now, until=until)
        return {"waits_until": until.isoformat()}
    if case.freeze is None:
        freezing.freeze(session, case, now=now)
        case = cases.find(session, proposal_id)
    if read_part(session, case, so_far, count=count):
        _submit(session, proposal_id, so_far.parts + 1, lane=lane, now=now)
        return progress(session, case)
    return _conclude(session, case, now)


def progress(session: Session, case: Case) -> dict[str, Any]:
    """Return how many ballots are counted, of how many people's."""
    if Event.TALLIED in case.events:
        return {"counted": case.row.turnout, "of": case.row.turnout}
    ballots = read_so_far(session, case.row.id).ballots
    return {"counted": ballots, "of": case.row.turnout}


def binding(session: Session, proposal_id: UUID) -> Tally | None:
    """Return the count that decides a proposal, once there is one."""
    return session.scalar(
        sa.select(Tally).where(Tally.proposal_id == proposal_id, ~Tally.advisory)
    )


def seed_of(session: Session, proposal_id: UUID) -> bytes:
    """Return what lots are drawn with; it is told after the close only."""
    return session.scalars(
        sa.select(ProposalSeed.seed).where(ProposalSeed.proposal_id == proposal_id)
    ).one()


def _not_before(session: Session, case: Case, now: datetime) -> datetime | None:
    """Return when to look again while a ballot cast in time may still come."""
    assert case.timeline is not None, "what is closed was opened"  # noqa: S101
    closes = case.timeline.closes
    if now < closes + SETTLING:
        return closes + SETTLING
    bound = {"closes": closes, "id": str(case.row.id)}
    waits = session.scalar(_WAITING, bound)
    return now + (now - closes) / _PATIENCE if waits else None


def _submit(  # noqa: PLR0913  what a job of a tally consists of
    session: Session,
    proposal_id: UUID,
    part: int,
    *,
    lane: int,
    now: datetime,
    until: datetime | None = None,
) -> UUID:
    """Submit the job of a part, which nobody begins before `until`."""
    payload = {"proposal_id": str(proposal_id), "part": part, "lane": lane}
    job = NewJob(
        id=uuid7(),
        kind=TALLY,
        queue=_QUEUE,
        lane=lane,
        payload=json.dumps(payload),
        submitted_at=now,
        deadline=(until or now) + _ALLOWANCE,
        application=PEOPLES_APPLICATION,
    )
    jobs.submit(session, [job])
    if until is not None:
        jobs.postpone(session, job.id, until=until)
    return job.id


def _conclude(session: Session, case: Case, now: datetime) -> dict[str, Any]:
    """Count the votes of all parts, and write down what came of it."""
    assert case.freeze is not None, "it was frozen before"  # noqa: S101
    proposal_id = case.row.id
    seed = seed_of(session, proposal_id)
    ballots, result = counted(case.freeze, gathered(session, proposal_id), seed)
    made = Tally(
        id=uuid7(),
        proposal_id=proposal_id,
        method=case.parameters.method,
        advisory=False,
        ballots_sha256=ballots.digest,
        groups=in_order(ballots),
        result=canonical(result).decode(),
        at=now,
    )
    session.add(made)
    forget_parts(session, proposal_id)
    told = _told(made, result, secret=case.parameters.secret)
    cases.happen(session, proposal_id, Event.TALLIED, details=told, now=now)
    return {"counted": case.row.turnout, "of": case.row.turnout, **told}


def _told(made: Tally, result: Mapping[str, Any], *, secret: bool) -> dict[str, Any]:
    """Return what the event says of a tally.

    Of very few ballots cast in secret the hash would be enough to guess them.
    """
    withheld = is_withheld(secret=secret, people=result["ballots"]["people"])
    return {
        "outcome": result["outcome"],
        "failed_for": result["failed_for"],
        "elected": result["elected"],
        "ballots_sha256": None if withheld else made.ballots_sha256,
        "tally_id": str(made.id),
    }
