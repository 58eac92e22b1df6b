"""Turning points: the ballot with which a quorum is reached, or all is settled."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.governance.carrying import Represented
from domain.governance.cases import Case
from domain.governance.delegations import edges_of, voters_of
from domain.governance.lifecycle import Event
from domain.governance.settling import is_settled
from domain.governance.voting_record import Elector, OpenBallot
from domain.tally import Election
from domain.tally.yes_no import ABSTAIN, NO, YES

_KINDS: Final = (Event.QUORUM_REACHED, Event.SETTLED)


class TurningPoints:
    """Looks at the first ballot of each voter of a batch, in the order cast.

    Nothing of the batch is stored meanwhile. What this takes is read only when a ballot
    may be a turning point.
    """

    def __init__(self, session: Session, case: Case, election: Election) -> None:
        self._session, self._case, self._election = session, case, election
        self._new: list[UUID] = []
        self._represented: Represented | None = None
        self._votes: Counter[str] | None = None
        # A quorum that was reached before it mattered moves nothing.
        self._over = {kind for kind in _KINDS if kind in case.events}

    def look(
        self, voter: UUID, ballot: Any, *, weight: int, at: datetime, closes: datetime
    ) -> Iterator[Event]:
        """Yield what came about with a ballot."""
        late = self._may_extend(at, closes)
        if late and self._case.parameters.delegation and self._represented is None:
            self._represented = self._represented_so_far()
        before = self._people()
        self._new.append(voter)
        if self._represented is not None:
            self._represented.add(voter)
        if late and self._people() >= self._wanted():
            self._over.add(Event.QUORUM_REACHED)
            if before < self._wanted():
                yield Event.QUORUM_REACHED
        if self._settles(ballot, weight):
            self._over.add(Event.SETTLED)
            yield Event.SETTLED

    def _may_extend(self, at: datetime, closes: datetime) -> bool:
        if Event.QUORUM_REACHED in self._over or self._election.quorum is None:
            return False
        hours = self._case.parameters.extension_hours
        return hours > 0 and at + timedelta(hours=hours) > closes

    def _people(self) -> int:
        """Return how many people's votes are cast, those carried by others, too."""
        if self._represented is not None:
            return self._represented.people
        return self._case.row.turnout + len(self._new)

    def _wanted(self) -> Fraction:
        eligible = self._election.eligible
        return (self._election.quorum or 0) * Fraction(
            eligible.people if eligible else 0
        )

    def _represented_so_far(self) -> Represented:
        proposal_id = self._case.row.id
        edges = edges_of(self._session, proposal_id)
        voters = voters_of(self._session, proposal_id) | set(self._new)
        return Represented(edges, voters, self._case.parameters.delegation_cap)

    def _settles(self, ballot: Any, weight: int) -> bool:
        if not self._case.parameters.early_close or Event.SETTLED in self._over:
            return False
        if self._votes is None:
            self._votes = self._sums()
        self._votes[ballot] += weight
        return is_settled(self._election, self._votes, people=self._people())

    def _sums(self) -> Counter[str]:
        votes = Counter({YES: 0, NO: 0, ABSTAIN: 0})
        bound = {"proposal": self._case.row.id}
        for ballot, weight in self._session.execute(_CAST, bound):
            votes[ballot] += int(weight)
        return votes


_proposal: Final[sa.BindParameter[UUID]] = sa.bindparam("proposal")
# Where a vote may be closed early it is open, and no ballot is replaced.
_CAST: Final = (
    sa.select(OpenBallot.ballot, sa.func.sum(Elector.weight))
    .join(
        Elector,
        sa.and_(
            Elector.proposal_id == OpenBallot.proposal_id,
            Elector.voter_id == OpenBallot.voter_id,
        ),
    )
    .where(OpenBallot.proposal_id == _proposal)
    .group_by(OpenBallot.ballot)
)
