"""Meek STV, by the reference rule of the Proportional Representation Foundation.

That rule makes Algorithm 123 (Hill, Wichmann and Woodall, The Computer Journal 30,
1987) exact: fixed point with nine decimals. Everybody elected keeps a part of each vote
that reaches them, just so much that they keep a quota, and the rest goes on; the quota
falls as votes run out of preferences. The parts are found step by step, until the
surpluses together are below omega, or fall no more. What the rule leaves open: a tie is
broken by the earliest round at which the tied differ, then by lot.
"""

from collections import Counter
from typing import Final, NamedTuple

from domain.tally import rankings
from domain.tally.ballots import Ballots, Ranking
from domain.tally.counts import Count
from domain.tally.documents import Document, decimal, decimals, listed
from domain.tally.elections import Election
from domain.tally.leading import check_options
from domain.tally.lots import Lots
from domain.tally.ties import Purpose, Ties

PLACES: Final = 9
UNIT: Final = 10**PLACES
OMEGA: Final = UNIT // 10**6

check = check_options
read = rankings.read


def count(election: Election, ballots: Ballots, lots: Lots) -> Count:
    """Count by the rule, round by round."""
    counting = _Counting(election, ballots, lots)
    if ballots.votes:
        counting.run()
    return Count(
        elected=counting.elected,
        passed=bool(counting.elected),
        stages=counting.stages,
        ties=counting.ties.broken,
        figures={"omega": decimal(OMEGA, PLACES)},
    )


class _Distribution(NamedTuple):
    """What everybody keeps of the votes, at the parts they keep."""

    votes: dict[str, int]
    non_transferable: int
    quota: int

    def surplus(self, elected: list[str]) -> int:
        """Return what the elected have above the quota, all together."""
        return max(0, sum(self.votes[one] - self.quota for one in elected))


class _Counting:
    """The state of a count: who is hopeful, elected or defeated, and keeps how much."""

    def __init__(self, election: Election, ballots: Ballots, lots: Lots) -> None:
        self._options = election.options
        self._seats = election.seats
        self._rankings = ballots.rankings()
        self._hopeful = set(election.options)
        self._keep = dict.fromkeys(election.options, UNIT)
        self._history: list[dict[str, int]] = []
        self.elected: list[str] = []
        self.stages: list[Document] = []
        self.ties = Ties(lots)

    def run(self) -> None:
        """Go from round to round until all seats are filled."""
        while not self._complete():
            self._round()
        if not self._history:
            self._stage(self._distribute(self._paths()), surplus=0, iterations=1)
        if len(self.elected) < self._seats and self._hopeful:
            self._elect(self._hopeful, "as many are left as there are seats")

    def _complete(self) -> bool:
        filled = len(self.elected)
        return filled == self._seats or filled + len(self._hopeful) <= self._seats

    def _round(self) -> None:
        """Iterate until somebody is elected, or else the last is defeated."""
        paths = self._paths()
        before, iterations = None, 0
        while True:
            iterations += 1
            found = self._distribute(paths)
            winners = {one for one in self._hopeful if found.votes[one] >= found.quota}
            surplus = found.surplus([*self.elected, *winners])
            settled = before is not None and surplus >= before
            if winners or surplus < OMEGA or settled:
                break
            before = surplus
            self._update(found)
        self._stage(found, surplus, iterations)
        if winners:
            self._elect(winners, f"the quota is {decimal(found.quota, PLACES)}")
        else:
            self._defeat(found.votes, surplus)

    def _paths(self) -> Counter[Ranking]:
        """Return how many votes go which way: by elected, to a hopeful or nowhere."""
        paths: Counter[Ranking] = Counter()
        for ranking, votes in self._rankings.items():
            path = []
            for option in ranking:
                if self._keep[option]:
                    path.append(option)
                    if option in self._hopeful:
                        break
            paths[tuple(path)] += votes
        return paths

    def _distribute(self, paths: Counter[Ranking]) -> _Distribution:
        """Give every vote to those on its way, each keeping a part of what is left."""
        kept = dict.fromkeys(self._options, 0)
        nowhere = 0
        for path, votes in paths.items():
            weight = UNIT
            for option in path:
                part = -(-weight * self._keep[option] // UNIT)
                kept[option] += part * votes
                weight -= part
            nowhere += weight * votes
        quota = sum(kept.values()) // (self._seats + 1) + 1
        return _Distribution(kept, nowhere, quota)

    def _update(self, found: _Distribution) -> None:
        """Let the elected keep as much less as they have too much, rounding up."""
        for one in self.elected:
            wanted = -(-self._keep[one] * found.quota // UNIT)
            self._keep[one] = -(-wanted * UNIT // found.votes[one])

    def _elect(self, options: set[str], reason: str) -> None:
        elected = self.ties.ranked(options, self._history, Purpose.ORDER)
        self._hopeful -= options
        self.elected += elected
        self.stages[-1]["elected"] = elected
        self.stages[-1]["explanation"] += f" Elected, {reason}: {listed(elected)}."

    def _defeat(self, votes: dict[str, int], surplus: int) -> None:
        """Defeat the last; whom the surplus could still lift from there is tied."""
        fewest = min(votes[one] for one in self._hopeful)
        tied = [one for one in self._hopeful if votes[one] <= fewest + surplus]
        last = self.ties.settle(tied, self._history, Purpose.EXCLUSION)
        self._hopeful.remove(last)
        self._keep[last] = 0
        told = f" {last} has the fewest votes, {decimal(votes[last], PLACES)}, "
        self.stages[-1]["option"] = last
        self.stages[-1]["explanation"] += told + "and is defeated."

    def _stage(self, found: _Distribution, surplus: int, iterations: int) -> None:
        self._history.append(found.votes)
        times = "once" if iterations == 1 else f"{iterations} times"
        self.stages.append(
            {
                "stage": len(self._history),
                "action": "round",
                "option": None,
                "votes": decimals(found.votes, PLACES),
                "keep_factors": decimals(self._keep, PLACES),
                "quota": decimal(found.quota, PLACES),
                "surplus": decimal(surplus, PLACES),
                "non_transferable": decimal(found.non_transferable, PLACES),
                "iterations": iterations,
                "elected": [],
                "explanation": f"Votes are distributed {times}.",
            }
        )
