"""What is due for proposals that are under way: a freeze, a count, a deed, the news.

None of it decides anything: done late it comes out as if done in time, and done twice
it is done once.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from domain.governance import announcing, executing, freezing, tallying
from domain.governance.cases import find
from domain.governance.lanes import lane_of
from domain.governance.lifecycle import State

ADVANCE: Final = "governance.advance"
_OPEN: Final = frozenset({State.VOTING, State.CLOSED})


def advance(
    session: Session, proposal_id: UUID, *, lanes: int, now: datetime
) -> Iterator[str]:
    """Do what is due for a proposal; yield what was done."""
    # Locked before anything is read: what is told or begun is what is so.
    case = find(session, proposal_id, lock=True)
    state, lane = case.state(now), lane_of(proposal_id, lanes)
    if state in _OPEN and case.freeze is None:
        freezing.freeze(session, case, now=now)
        yield "frozen"
    if state is State.CLOSED and tallying.start(
        session, proposal_id, lane=lane, now=now
    ):
        yield "counting"
    if executing.is_due(case, now=now) and executing.submit(
        session, proposal_id, lane=lane, now=now
    ):
        yield "to_execute"
    if announcing.announce(session, proposal_id, now=now):
        yield "announced"
