"""Ballots that give options numbers: scores, or votes that cost credits."""

from collections.abc import Mapping
from typing import Any

from domain.tally.ballots import BadBallot
from domain.tally.elections import Election


def read_numbers(value: Any, election: Election) -> dict[str, int]:
    """Return each option's number from an object, or from a list of pairs."""
    pairs = list(value.items()) if isinstance(value, Mapping) else value
    if (
        not isinstance(pairs, list | tuple)
        or not all(
            isinstance(pair, list | tuple)
            and len(pair) == 2  # noqa: PLR2004  a pair
            and election.has_all(pair[:1])
            for pair in pairs
        )
    ):
        raise BadBallot("Give options of this election a number each.")
    numbers = dict(pairs)
    if len(numbers) < len(pairs):
        raise BadBallot("An option is named twice.")
    if any(type(number) is not int or number < 0 for number in numbers.values()):
        raise BadBallot("Numbers are whole, and not below 0.")
    return numbers
