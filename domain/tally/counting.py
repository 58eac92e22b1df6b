"""Counting: any method, the same way to a result document.

A result is a function of the election, the ballots and the seed. In `canonical` form
it is the same bytes on any machine, whatever order ballots came and options stand in.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from domain.tally import (
    approval,
    consent,
    instant_runoff,
    meek,
    quadratic,
    score,
    scottish,
    single_choice,
    yes_no,
)
from domain.tally.ballots import Ballot, Ballots, Group, Ranking
from domain.tally.counts import Count
from domain.tally.documents import Document
from domain.tally.elections import Election
from domain.tally.lots import Lots
from domain.tally.thresholds import BadElection, tick_quorum

FORMAT: Final = "coin tally 1"


class Method(Protocol):
    """What each file of a method has."""

    def check(self, election: Election, /) -> None:
        """Refuse an election that the method cannot count."""

    def read(self, value: Any, election: Election, /) -> Ballot:
        """Return the ballot that JSON says, or refuse it."""

    def count(self, election: Election, ballots: Ballots, lots: Lots, /) -> Count:
        """Count the ballots."""


METHODS: Final[Mapping[str, Method]] = {
    "yes-no": yes_no,
    "consent": consent,
    "single-choice": single_choice,
    "approval": approval,
    "score": score,
    "quadratic": quadratic,
    "irv": instant_runoff,
    "scottish-stv": scottish,
    "meek-stv": meek,
}
# What an order of preference is as a ballot, where it can be one.
OF_RANKING: Final[Mapping[str, Callable[[Ranking], Ballot]]] = {
    "single-choice": single_choice.of_ranking,
    "approval": approval.of_ranking,
    "irv": lambda ranking: ranking,
    "scottish-stv": lambda ranking: ranking,
    "meek-stv": lambda ranking: ranking,
}


def check(election: Election) -> Method:
    """Return the election's method, or say why it cannot be counted."""
    method = METHODS.get(str(election.method))
    if method is None:
        known = ", ".join(METHODS)
        raise BadElection(f"There is no method {election.method!r}; there are {known}.")
    method.check(election)
    return method


def gather(election: Election, cast: Iterable[tuple[Any, int]]) -> Ballots:
    """Read ballots as people cast them, each with what its vote weighs."""
    return regroup(election, ((value, 1, weight) for value, weight in cast))


def regroup(election: Election, groups: Iterable[tuple[Any, int, int]]) -> Ballots:
    """Read ballots that were put together: each with its people and votes."""
    read = check(election).read
    return Ballots(
        Group(read(value, election), people, votes) for value, people, votes in groups
    )


def from_rankings(method: str, rankings: Mapping[Ranking, int]) -> Ballots:
    """Return orders of preference as the method's ballots, each vote weighing 1."""
    of_ranking = OF_RANKING[method]
    return Ballots(
        Group(of_ranking(ranking), votes, votes) for ranking, votes in rankings.items()
    )


def count(election: Election, ballots: Ballots, seed: bytes = b"") -> Document:
    """Count the ballots, and return the result with all that led to it."""
    method = check(election)
    quorum = _tick_quorum(election, ballots)
    lots = Lots(seed, ballots.digest)
    found = method.count(election, ballots, lots)
    failed_for = _failed_for(found, ballots, quorum)
    return {
        "format": FORMAT,
        "election": election.describe(),
        "ballots": ballots.describe(),
        "lots": lots.describe(),
        "outcome": "failed" if failed_for else "passed",
        "failed_for": failed_for,
        "elected": [] if failed_for else list(found.elected),
        "quorum": quorum,
        **found.figures,
        "stages": list(found.stages),
        "ties": list(found.ties),
    }


def _tick_quorum(election: Election, ballots: Ballots) -> Document | None:
    eligible = election.eligible
    if eligible is None:
        return None
    if ballots.people > eligible.people:
        raise BadElection("More people voted than were eligible.")
    if election.quorum is None:
        return None
    return tick_quorum(election.quorum, eligible, ballots.people)


def _failed_for(found: Count, ballots: Ballots, quorum: Document | None) -> str | None:
    """Return what is wanting, if anything is: people, votes, or enough of them."""
    if quorum is not None and not quorum["met"]:
        return "quorum"
    if not ballots.votes:
        return "no votes"
    return None if found.passed else "threshold"
