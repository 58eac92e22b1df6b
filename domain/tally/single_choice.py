"""Single choice: one option a ballot, and the most votes win."""

from collections import Counter
from typing import Any

from domain.tally.ballots import BadBallot, Ballots, Ranking
from domain.tally.counts import Count
from domain.tally.elections import Election
from domain.tally.leading import check_options, elect
from domain.tally.lots import Lots

check = check_options


def read(value: Any, election: Election) -> str:
    """Return the option chosen; null or nothing at all is a blank ballot."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not election.has_all([value]):
        # What was said is not repeated: a refusal stays beside who sent the ballot.
        raise BadBallot("This is not one of the options.")
    return value


def of_ranking(ranking: Ranking) -> str:
    """Return the ballot that an order of preference is here: its first."""
    return ranking[0] if ranking else ""


def count(election: Election, ballots: Ballots, lots: Lots) -> Count:
    """Add up the votes for each option."""
    votes = Counter(dict.fromkeys(election.options, 0))
    for ballot, _, weight in ballots:
        if ballot:
            votes[ballot] += weight
    return elect(election, votes, lots)
