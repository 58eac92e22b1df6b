"""Approval: any options a ballot, within bounds, and the most approvals win."""

from collections import Counter
from typing import Any

from domain.tally.ballots import BadBallot, Ballots, Ranking
from domain.tally.counts import Count
from domain.tally.elections import Election
from domain.tally.leading import check_options, elect
from domain.tally.lots import Lots

check = check_options


def read(value: Any, election: Election) -> Ranking:
    """Return the options approved of, in order of their names; none is blank."""
    if not isinstance(value, list | tuple) or not election.has_all(value):
        raise BadBallot("Name options of this election.")
    chosen = tuple(sorted(set(value)))
    if len(chosen) < len(value):
        raise BadBallot("An option is named twice.")
    most = election.choices_max or len(election.options)
    if chosen and not election.choices_min <= len(chosen) <= most:
        raise BadBallot(f"Choose {election.choices_min} to {most} options, or none.")
    return chosen


def of_ranking(ranking: Ranking) -> Ranking:
    """Return the ballot that an order of preference is here: all it names."""
    return tuple(sorted(ranking))


def count(election: Election, ballots: Ballots, lots: Lots) -> Count:
    """Add up the approvals of each option."""
    votes = Counter(dict.fromkeys(election.options, 0))
    for ballot, _, weight in ballots:
        for option in ballot:
            votes[option] += weight
    return elect(election, votes, lots)
