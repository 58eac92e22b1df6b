"""What is due for proposals that are under way: a freeze, a count, a deed, the news.

None of it decides anything: done late it comes out as if done in time, and done twice
it is done once.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from domain import jobs
from domain.governance import announcing, executing, freezing, tallying
from domain.governance.cases import find
from domain.governance.lanes import lane_of
from domain.governance.lifecycle import State
from domain.ids import derived_id, uuid7
from domain.jobs import NewJob
from domain.principals import PEOPLES_APPLICATION

ADVANCE: Final = "governance.advance"
# What cannot be carried out yet is tried so often, until it expires.
_TRIED_EVERY: Final = timedelta(minutes=5)
_OPEN: Final = frozenset({State.VOTING, State.CLOSED})


def advance(
    session: Session, *, lanes: int, count: int, now: datetime
) -> dict[str, int]:
    """Do what is due for up to `count` proposals; return how often what was done."""
    done: Counter[str] = Counter()
    for proposal_id in announcing.due(session, now=now, count=count):
        done.update(_advance(session, proposal_id, lanes=lanes, now=now))
    return dict(done)


def _advance(
    session: Session, proposal_id: UUID, *, lanes: int, now: datetime
) -> Iterator[str]:
    case = find(session, proposal_id)
    state, lane = case.state(now), lane_of(proposal_id, lanes)
    if state in _OPEN and case.freeze is None:
        freezing.freeze(session, case, now=now)
        yield "frozen"
    if state is State.CLOSED and tallying.start(
        session, proposal_id, lane=lane, now=now
    ):
        yield "counting"
    if executing.is_due(case, now=now) and _submit(session, proposal_id, lane, now):
        yield "to_execute"
    if announcing.announce(session, case, now=now):
        yield "announced"


def _submit(session: Session, proposal_id: UUID, lane: int, now: datetime) -> bool:
    """Submit the job that carries a proposal out, unless it was just tried."""
    slot = int(now.timestamp()) // int(_TRIED_EVERY.total_seconds())
    job = NewJob(
        id=uuid7(),
        kind=executing.EXECUTE,
        queue=executing.EXECUTE.partition(".")[0],
        lane=lane,
        payload=f'{{"proposal_id": "{proposal_id}"}}',
        submitted_at=now,
        deadline=now + _TRIED_EVERY,
        application=PEOPLES_APPLICATION,
        idempotency=derived_id(executing.EXECUTE, proposal_id, slot),
    )
    return jobs.submit(session, [job])[0].earlier is None
