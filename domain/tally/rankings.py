"""Rankings: ballots that put options in order of preference, all of them or some."""

from typing import Any

from domain.tally.ballots import BadBallot, Ranking
from domain.tally.elections import Election


def read(value: Any, election: Election) -> Ranking:
    """Return the options from the most preferred down; none is blank."""
    if not isinstance(value, list | tuple) or not election.has_all(value):
        raise BadBallot("Name options of this election in order of preference.")
    ranking = tuple(value)
    if len(set(ranking)) < len(ranking):
        raise BadBallot("An option is named twice.")
    return ranking
