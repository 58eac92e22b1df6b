"""Ballots: what people cast, identical ones together, and one hash for all of them.

What a ballot is depends on the method: a word, an option, options chosen, options in
order of preference, or numbers for options. Neither who cast it is kept nor when, nor
what single votes weigh, which might tell who did.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple

from domain.tally.documents import Document, canonical

Ballot = str | tuple[Any, ...]
Ranking = tuple[str, ...]


class BadBallot(ValueError):
    """The ballot cannot be counted."""


class Group(NamedTuple):
    """One ballot: how many people cast it, and what their votes weigh together."""

    ballot: Any
    people: int
    votes: int


class Ballots:
    """All ballots of an election; the order they came in leaves no trace."""

    def __init__(self, groups: Iterable[Group] = ()) -> None:
        self._people: Counter[Ballot] = Counter()
        self._votes: Counter[Ballot] = Counter()
        for ballot, people, votes in groups:
            self._people[ballot] += people
            self._votes[ballot] += votes

    def __iter__(self) -> Iterator[Group]:
        for ballot, people in self._people.items():
            yield Group(ballot, people, self._votes[ballot])

    @cached_property
    def people(self) -> int:
        """Return how many people took part, those with a blank ballot too."""
        return self._people.total()

    @cached_property
    def blank(self) -> int:
        """Return how many people cast a ballot without a choice."""
        return sum(people for ballot, people, _ in self if not ballot)

    @cached_property
    def votes(self) -> int:
        """Return what all ballots with a choice weigh."""
        return sum(votes for ballot, _, votes in self if ballot)

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of all ballots, a line for each kind, in order of bytes.

        A line is the JSON of ballot, people and votes, such as [["ada","ben"],3,3].
        """
        return sha256(b"\n".join(sorted(map(canonical, self)))).hexdigest()

    def rankings(self) -> Mapping[Ranking, int]:
        """Return the votes for each order of preference that has one at all."""
        return {ballot: votes for ballot, _, votes in self if ballot and votes}

    def describe(self) -> Document:
        """Return what a result says of the ballots it was counted from."""
        return {
            "people": self.people,
            "blank": self.blank,
            "votes": self.votes,
            "sha256": self.digest,
        }
