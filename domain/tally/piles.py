"""Piles: ballot papers lying with the option each one counts for at the moment."""

from collections import defaultdict
from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

from domain.tally.ballots import Ranking


class Passed(NamedTuple):
    """What went from one option to others, and what could go nowhere."""

    received: dict[str, int]
    non_transferable: int


class Piles:
    """Equal papers lie together, with their value and how far they were read."""

    def __init__(self, rankings: Mapping[Ranking, int], unit: int) -> None:
        self._piles: defaultdict[str, list[tuple[int, int, Ranking, int]]]
        self._piles = defaultdict(list)
        for ranking, papers in rankings.items():
            self._piles[ranking[0]].append((unit, papers, ranking, 1))

    def votes(self, option: str) -> int:
        """Return what the papers with an option are worth."""
        return sum(value * papers for value, papers, _, _ in self._piles[option])

    def pass_on(
        self, source: str, to: Container[str], revalue: Callable[[int], int]
    ) -> Passed:
        """Move an option's papers to the next preference among others, at new value."""
        received: defaultdict[str, int] = defaultdict(int)
        nowhere = 0
        for value, papers, ranking, read in self._piles.pop(source, ()):
            new = revalue(value)
            for index in range(read, len(ranking)):
                target = ranking[index]
                if target in to:
                    self._piles[target].append((new, papers, ranking, index + 1))
                    received[target] += new * papers
                    break
            else:
                nowhere += new * papers
        return Passed(dict(received), nowhere)
