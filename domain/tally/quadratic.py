"""Quadratic voting: any number of votes for an option, for their square in credits.

Every voter has the same budget; n votes for one option cost n² credits of it. The
budget is the only weight there is.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from domain.tally.ballots import BadBallot, Ballots
from domain.tally.counts import Count
from domain.tally.elections import Election
from domain.tally.leading import check_options, elect
from domain.tally.lots import Lots
from domain.tally.numbers import read_numbers

check = check_options


def cost(votes: Iterable[int]) -> int:
    """Return the credits that so many votes for different options cost."""
    return sum(number * number for number in votes)


def read(value: Any, election: Election) -> tuple[tuple[str, int], ...]:
    """Return the votes for each option that has any, in order of their names."""
    votes = read_numbers(value, election)
    if (wanted := cost(votes.values())) > election.budget:
        raise BadBallot(
            f"These votes cost {wanted} credits, the budget has {election.budget}."
        )
    return tuple(sorted((option, number) for option, number in votes.items() if number))


def count(election: Election, ballots: Ballots, lots: Lots) -> Count:
    """Add up the votes for each option, and the credits they cost."""
    votes, spent = Counter(dict.fromkeys(election.options, 0)), 0
    for ballot, people, _ in ballots:
        for option, number in ballot:
            votes[option] += number * people
        spent += people * cost(number for _, number in ballot)
    return elect(election, votes, lots, credits_spent=spent)
