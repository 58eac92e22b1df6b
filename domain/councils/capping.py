"""Affiliation caps: no more of one affiliation than a council allows.

While more than the cap of those who would sit share an affiliation, the one of them who
was elected last is withdrawn, and the same ballots are counted again without them, with
the same seed. That ends, as every count has one fewer who stands.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.tally import Ballots, Election, Group, count
from domain.tally.documents import Document


@dataclass(frozen=True, kw_only=True)
class Contest:
    """An election that was counted, and all that it takes to count it again."""

    election: Election
    ballots: Ballots
    seed: bytes
    affiliations: Mapping[str, str | None]
    cap: int | None

    def elect(self, out: Collection[str]) -> list[str]:
        """Return who is elected, in order, when these do not stand."""
        options = tuple(one for one in self.election.options if one not in out)
        if not options:
            return []
        left = Ballots(
            Group(tuple(one for one in ballot if one not in out), people, votes)
            for ballot, people, votes in self.ballots
        )
        election = replace(self.election, options=options)
        elected: list[str] = count(election, left, self.seed)["elected"]
        return elected

    def last_over_cap(
        self, elected: Sequence[str], sitting: Collection[str | None]
    ) -> str | None:
        """Return the last elected of an affiliation that has too many, if there is one.

        Who already sits counts, and is not withdrawn.
        """
        if self.cap is None:
            return None
        names = {one: _plain(self.affiliations.get(one)) for one in elected}
        having = Counter([*names.values(), *map(_plain, sitting)])
        over = {name for name, number in having.items() if name and number > self.cap}
        return next((one for one in reversed(elected) if names[one] in over), None)


@dataclass(frozen=True, slots=True)
class Seating:
    """Who is seated, whom the cap withdrew, and each count on the way."""

    elected: list[str]
    withdrawn: list[str]
    counts: list[Document]


def seat(
    contest: Contest,
    *,
    free: int,
    sitting: Collection[str | None] = (),
    out: Collection[str] = (),
) -> Seating:
    """Return who takes the free seats beside those of the affiliations that sit."""
    withdrawn: list[str] = []
    counts: list[Document] = []
    while True:
        gone = {*out, *withdrawn}
        elected = contest.elect(gone)[:free]
        counts.append({"without": sorted(gone), "elected": elected})
        last = contest.last_over_cap(elected, sitting)
        if last is None:
            return Seating(elected, withdrawn, counts)
        withdrawn.append(last)


def _plain(affiliation: str | None) -> str:
    """Return an affiliation as it is compared: case and blanks make no difference."""
    return " ".join((affiliation or "").casefold().split())
