"""Scottish STV, as rules 45 to 52 for Scottish council elections have it.

The Scottish Local Government Elections Order 2007, Schedule 1, Part III; rules 46 to 53
of the Order of 2011. The quota is a whole number; values of papers have five decimals,
the rest ignored. Surpluses go on first, the largest before the others, with all papers
of whoever has them, each at its value times surplus over votes (weighted inclusive
Gregory). Then whoever has the fewest votes is excluded, and the papers go on at the
value they came with. Ties are broken by the most recent stage at which the tied differ,
then by lot. When as many continue as there are vacancies, they are elected. The papers
of whoever was excluded last still go on, as in the official count sheets: the rules
forbade that until 2021, and leave it open since; it elects nobody else.
"""

from typing import Final

from domain.tally import rankings
from domain.tally.ballots import Ballots
from domain.tally.counts import Count
from domain.tally.documents import Document, decimal, decimals, listed
from domain.tally.elections import Election
from domain.tally.leading import check_options
from domain.tally.lots import Lots
from domain.tally.piles import Passed, Piles
from domain.tally.ties import Look, Purpose, Ties

PLACES: Final = 5
UNIT: Final = 10**PLACES

check = check_options
read = rankings.read


def count(election: Election, ballots: Ballots, lots: Lots) -> Count:
    """Count by the rules, stage by stage."""
    counting = _Counting(election, ballots, lots)
    if ballots.votes:
        counting.run()
    return Count(
        elected=counting.elected,
        passed=bool(counting.elected),
        stages=counting.stages,
        ties=counting.ties.broken,
        figures={"quota": counting.quota},
    )


class _Counting:
    """The state of a count: who continues, whose votes and papers are where."""

    def __init__(self, election: Election, ballots: Ballots, lots: Lots) -> None:
        self._seats = election.seats
        self._piles = Piles(ballots.rankings(), UNIT)
        self._continuing = set(election.options)
        self._votes = {one: self._piles.votes(one) for one in election.options}
        self._surplus_of: set[str] = set()  # elected, with papers still to go on
        self._non_transferable = 0
        self._lost = 0
        self._history: list[dict[str, int]] = []
        self.quota = ballots.votes // (election.seats + 1) + 1  # rule 46
        self.elected: list[str] = []
        self.stages: list[Document] = []
        self.ties = Ties(lots, Look.LATEST)
        self._stage("first preferences", None, {}, "First preferences are counted.")

    def run(self) -> None:
        """Go from stage to stage until all seats are filled."""
        self._elect_by_quota()
        while len(self._continuing) > self._vacancies() > 0:
            if self._surplus_of:
                self._transfer_surplus()
            else:
                self._exclude()
            self._elect_by_quota()
        if self._continuing and self._vacancies():  # rule 52
            self._elect(self._continuing, "as many continue as there are vacancies")

    def _vacancies(self) -> int:
        return self._seats - len(self.elected)

    def _elect_by_quota(self) -> None:
        """Elect who has the quota; rule 47."""
        quota = self.quota * UNIT
        reached = {one for one in self._continuing if self._votes[one] >= quota}
        if reached:
            self._elect(reached, f"the quota is {self.quota}")
            self._surplus_of |= {one for one in reached if self._votes[one] > quota}

    def _elect(self, options: set[str], reason: str) -> None:
        elected = self.ties.ranked(options, self._history, Purpose.ORDER)
        self._continuing -= options
        self.elected += elected
        self.stages[-1]["elected"] += elected
        self.stages[-1]["explanation"] += f" Elected, {reason}: {listed(elected)}."

    def _transfer_surplus(self) -> None:
        """Transfer the largest surplus; rules 48 and 49."""
        source = self.ties.highest(self._surplus_of, self._history, Purpose.SURPLUS)
        self._surplus_of.remove(source)
        votes = self._votes[source]
        surplus = votes - self.quota * UNIT
        passed = self._piles.pass_on(
            source, self._continuing, lambda value: surplus * value // votes
        )
        self._votes[source] -= surplus
        lost = surplus - sum(passed.received.values()) - passed.non_transferable
        self._lost += lost
        self._receive(passed)
        part, whole = decimal(surplus, PLACES), decimal(votes, PLACES)
        told = (
            f"{source}'s surplus is transferred, papers at {part} / {whole} of value."
        )
        self._stage("surplus", source, passed.received, told)

    def _exclude(self) -> None:
        """Exclude who has the fewest votes; rules 50 and 51."""
        last = self.ties.lowest(self._continuing, self._history, Purpose.EXCLUSION)
        self._continuing.remove(last)
        told = f"{last} has the fewest votes, {decimal(self._votes[last], PLACES)}, "
        passed = self._piles.pass_on(last, self._continuing, lambda value: value)
        self._votes[last] = 0
        self._receive(passed)
        told += "and is excluded; papers go on at the value they came with."
        self._stage("exclusion", last, passed.received, told)

    def _receive(self, passed: Passed) -> None:
        for option, received in passed.received.items():
            self._votes[option] += received
        self._non_transferable += passed.non_transferable

    def _stage(
        self, action: str, option: str | None, received: dict[str, int], told: str
    ) -> None:
        self._history.append(dict(self._votes))
        self.stages.append(
            {
                "stage": len(self._history),
                "action": action,
                "option": option,
                "received": decimals(received, PLACES),
                "votes": decimals(self._votes, PLACES),
                "non_transferable": decimal(self._non_transferable, PLACES),
                "lost_to_rounding": decimal(self._lost, PLACES),
                "elected": [],
                "explanation": told,
            }
        )
