"""Counting what was frozen: a result from the definition, the ballots and the seed.

Nothing here asks the database. Whoever has these three has the same bytes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from domain.errors import Refused
from domain.governance.freezing import election_of
from domain.governance.parameters import BadParameters
from domain.governance.record import Freeze
from domain.tally import (
    METHODS,
    OF_RANKING,
    BadBallot,
    BadElection,
    Ballots,
    Election,
    Group,
    Lots,
    canonical,
    check,
    count,
    regroup,
)
from domain.tally.documents import Document

# Ballots that are orders of preference, which other methods can read.
RANKED: Final = frozenset({"irv", "scottish-stv", "meek-stv"})
# Fewer ballots than these would tell who cast them: of a secret vote by so few only the
# outcome is shown.
SECRET_PEOPLE_MIN: Final = 5

Groups = Iterable[tuple[Any, int, int]]


class NotCountable(Refused):
    """These ballots cannot be counted like this."""

    code = "ballots_not_countable"


def counted(freeze: Freeze, groups: Groups, seed: bytes) -> tuple[Ballots, Document]:
    """Count ballots, identical ones together, by what was frozen."""
    if _has_nobody(freeze):
        # Such a ballot can be blank only.
        return _uncounted(groups, seed, "no options")
    try:
        election = election_of(freeze)
    except BadParameters:
        # No ballot was taken that could not be read.
        return _uncounted(groups, seed, "not countable")
    ballots = regroup(election, groups)
    return ballots, count(election, ballots, seed)


def in_order(ballots: Ballots) -> list[list[Any]]:
    """Return the groups as they are stored and published: in order of their bytes."""
    return sorted((list(group) for group in ballots), key=canonical)


def is_withheld(*, secret: bool, people: int) -> bool:
    """Say whether so few voted in secret that only the outcome is told."""
    return secret and people < SECRET_PEOPLE_MIN


def counted_otherwise(
    freeze: Freeze, groups: Groups, seed: bytes, *, method: str, seats: int | None
) -> Document:
    """Count the frozen ballots by another method, or for another number of seats."""
    binding, election = countable(freeze), otherwise(freeze, method, seats)
    ballots = regroup(binding, groups)
    if method != binding.method:
        of_ranking = OF_RANKING[method]
        ballots = Ballots(
            Group(of_ranking(ballot), people, votes)
            for ballot, people, votes in ballots
        )
    return count(election, ballots, seed)


def otherwise(freeze: Freeze, method: str, seats: int | None = None) -> Election:
    """Return the election as another method has it, or say why it has none."""
    binding = countable(freeze)
    if method not in METHODS:
        raise NotCountable(f"There is no method {method!r}.")
    between_options = bool(binding.options)
    readable = binding.method in RANKED and method in OF_RANKING
    if not between_options or (method != binding.method and not readable):
        raise NotCountable(
            f"Ballots of {binding.method} cannot be counted by {method}."
        )
    own = 1 if method == "irv" else binding.seats
    election = replace(
        binding,
        method=method,
        seats=seats or own,
        choices_min=binding.choices_min if method == binding.method else 0,
        choices_max=binding.choices_max if method == binding.method else None,
    )
    try:
        check(election)
    except (BadElection, BadBallot) as fault:
        raise NotCountable(str(fault)) from None
    return election


def countable(freeze: Freeze) -> Election:
    """Return what was counted by, or raise NotCountable where nothing could be."""
    if _has_nobody(freeze):
        raise NotCountable("There was nobody to vote for.")
    try:
        return election_of(freeze)
    except BadParameters as fault:
        raise NotCountable(str(fault)) from None


def _has_nobody(freeze: Freeze) -> bool:
    """Say whether there was nothing to choose among, as when nobody stood."""
    defined: Mapping[str, Any] = json.loads(freeze.definition)
    between_words = defined["parameters"]["method"] in {"yes-no", "consent"}
    return not between_words and not defined["options"]


def _uncounted(groups: Groups, seed: bytes, why: str) -> tuple[Ballots, Document]:
    """Return the result of a vote in which there was nothing to count by: it failed."""
    ballots = Ballots(
        Group(_frozen(ballot), people, votes) for ballot, people, votes in groups
    )
    return ballots, {
        "format": "coin tally 1",
        "election": None,
        "ballots": ballots.describe(),
        "lots": Lots(seed, ballots.digest).describe(),
        "outcome": "failed",
        "failed_for": why,
        "elected": [],
        "quorum": None,
        "stages": [],
        "ties": [],
    }


def _frozen(ballot: Any) -> Any:
    """Return a blank ballot as its method would: hashable."""
    return tuple(ballot) if isinstance(ballot, list | dict) else ballot or ""
