"""Countback: a seat that ended early goes to whom the same ballots elect next."""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import jobs
from domain.councils import contests, elections, keeping
from domain.councils.capping import Contest
from domain.councils.keeping import Seat
from domain.councils.record import Council, CouncilMember
from domain.governance import types
from domain.governance.record import Proposal
from domain.ids import derived_id, uuid7
from domain.jobs import Claim, NewJob
from domain.principals import PEOPLES_APPLICATION
from domain.users import User

FILL: Final = "governance.fill_seat"
# Where the queue's other jobs that are not of a proposal are.
_LANE: Final = 0
_ALLOWANCE: Final = timedelta(days=1)


def next_in(
    contest: Contest,
    *,
    kept: Collection[str],
    sitting: Collection[str | None],
    out: Collection[str],
) -> str | None:
    """Return who is newly elected first when the ballots are counted without some.

    `kept` sit by this election and stay; `sitting` are the affiliations of all who sit.
    Who would exceed the cap is passed over, and the ballots are counted once more.
    """
    gone = set(out)
    while True:
        new = [one for one in contest.elect(gone) if one not in kept]
        if not new:
            return None
        if contest.last_over_cap(new[:1], sitting) is None:
            return new[0]
        gone.add(new[0])


def submit(session: Session, left: CouncilMember, *, now: datetime) -> None:
    """Submit the job that fills a seat, once: ballots may take seconds to count."""
    job = NewJob(
        id=uuid7(),
        kind=FILL,
        queue=FILL.partition(".")[0],
        lane=_LANE,
        payload=json.dumps({"seat_id": str(left.id)}),
        submitted_at=now,
        deadline=now + _ALLOWANCE,
        application=PEOPLES_APPLICATION,
        idempotency=derived_id(FILL, left.id),
    )
    jobs.submit(session, [job])


def run(session: Session, claim: Claim, *, now: datetime) -> dict[str, Any]:
    """Fill the seat of a job, if it is still to be filled."""
    left = session.get_one(CouncilMember, UUID(claim.payload["seat_id"]))
    council = keeping.lock(session, left.council_id, now=now)
    found = fill(session, council, left, now=now)
    return {"seated": found and str(found.row.id)}


def fill(
    session: Session, council: Council, left: CouncilMember, *, now: datetime
) -> Seat | None:
    """Give a seat that ended to the next by its election's ballots, at once.

    When there is nobody, an election is called, unless the term is over before it is.
    """
    sitting = keeping.members(session, council.id, at=now)
    free = council.seats - len(sitting)
    if left.elected_by is None or left.until <= now or free <= 0:
        return None
    contest = contests.load(session, left.elected_by)
    people = contests.people(session, contest.election.options)
    here = {seat.user.username for seat in sitting}
    kept = {
        seat.user.username for seat in sitting if seat.row.elected_by == left.elected_by
    }
    found = next_in(
        contest,
        kept=kept,
        sitting=[seat.row.affiliation for seat in sitting],
        out={
            *(here - kept),
            *(set(contest.election.options) - people.keys()),
            *_had_it(session, left.elected_by),
        },
    )
    if found is None:
        _call(session, council, left, now=now)
        return None
    return keeping.take(
        session,
        council,
        people[found],
        affiliation=contest.affiliations.get(found),
        until=left.until,
        elected_by=left.elected_by,
        now=now,
    )


def _had_it(session: Session, election_id: UUID) -> set[str]:
    """Return who had a seat by an election and has it no more."""
    names = (
        sa.select(User.username)
        .join(CouncilMember, CouncilMember.user_id == User.id)
        .where(
            CouncilMember.elected_by == election_id,
            CouncilMember.ended_at.is_not(None),
        )
    )
    return set(session.scalars(names))


def _call(
    session: Session, council: Council, left: CouncilMember, *, now: datetime
) -> None:
    """Call an election for the vacancy in the name of who called the last."""
    rules = types.current(session, elections.ELECTION).parameters
    hours = timedelta(hours=rules.discussion_hours + rules.freeze_hours)
    if now + hours + rules.voting >= left.until:
        return
    if elections.running(session, council.id, now=now):
        return
    before = session.get_one(Proposal, left.elected_by)
    elections.follow(session, council.id, caller=before.author, now=now)
