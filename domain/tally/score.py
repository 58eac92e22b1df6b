"""Score: a whole number from 0 up for any options, and the highest sum wins.

An option that a ballot leaves out has 0 from it.
"""

from collections import Counter
from typing import Any

from domain.tally.ballots import BadBallot, Ballots
from domain.tally.counts import Count
from domain.tally.elections import Election
from domain.tally.leading import check_options, elect
from domain.tally.lots import Lots
from domain.tally.numbers import read_numbers

check = check_options


def read(value: Any, election: Election) -> tuple[tuple[str, int], ...]:
    """Return the options scored, in order of their names; none is blank."""
    scores = read_numbers(value, election)
    if max(scores.values(), default=0) > election.score_max:
        raise BadBallot(f"Scores are whole numbers from 0 to {election.score_max}.")
    return tuple(sorted(scores.items()))


def count(election: Election, ballots: Ballots, lots: Lots) -> Count:
    """Add up the scores of each option."""
    votes = Counter(dict.fromkeys(election.options, 0))
    for ballot, _, weight in ballots:
        for option, score in ballot:
            votes[option] += score * weight
    return elect(election, votes, lots)
