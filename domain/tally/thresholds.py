"""What has to be reached: shares of votes for an option, and a quorum of people."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

from domain.tally.documents import Document


class BadElection(ValueError):
    """The definition of the election cannot be counted by."""


class Bound(StrEnum):
    """How votes and the share asked for are compared."""

    AT_LEAST = "at_least"
    MORE_THAN = "more_than"
    AT_MOST = "at_most"
    LESS_THAN = "less_than"


class Whole(StrEnum):
    """What a share is a share of: the votes cast, or those of everybody eligible."""

    CAST = "cast"
    ELIGIBLE = "eligible"


_HOLDS: Final[Mapping[Bound, Callable[[Fraction, Fraction], bool]]] = {
    Bound.AT_LEAST: operator.ge,
    Bound.MORE_THAN: operator.gt,
    Bound.AT_MOST: operator.le,
    Bound.LESS_THAN: operator.lt,
}
# Short figures only: an exponent could ask for more digits than there is memory.
_SHARE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9}|/[1-9]\d{0,8})?)(%?)", re.ASCII)
_PERCENT: Final = 100


def read_share(text: Any) -> Fraction:
    """Return the share that "2/3", "0.5" or "66.7%" says."""
    match = _SHARE.fullmatch(str(text))
    if match is None:
        raise BadElection(f'{text!r} is no share; write "2/3", "0.5" or "66.7%".')
    share = Fraction(match[1])
    if match[2]:
        share = Fraction(share, _PERCENT)
    if share > 1:
        raise BadElection(f"{text} is more than everything.")
    return share


@dataclass(frozen=True, slots=True)
class Requirement:
    """A share that an option's votes must reach, or must not."""

    option: str
    bound: Bound
    share: Fraction
    of: Whole = Whole.CAST

    @classmethod
    def read(cls, value: Any) -> "Requirement":
        """Return the requirement that JSON describes."""
        if not isinstance(value, Mapping) or value.keys() != _MEMBERS:
            names = ", ".join(sorted(_MEMBERS))
            raise BadElection(f"A requirement has the members {names}.")
        try:
            bound, of = Bound(value["bound"]), Whole(value["of"])
        except ValueError as fault:
            raise BadElection(f"A requirement: {fault}.") from None
        return cls(str(value["option"]), bound, read_share(value["share"]), of)

    def describe(self) -> Document:
        """Return the requirement as JSON shows it."""
        return {
            "option": self.option,
            "bound": str(self.bound),
            "share": str(self.share),
            "of": str(self.of),
        }

    def tick(self, votes: int, whole: int) -> Document:
        """Return the requirement with the numbers, and whether they meet it."""
        wanted = self.share * whole
        met = _HOLDS[self.bound](Fraction(votes), wanted)
        return {
            **self.describe(),
            "whole": whole,
            "wanted": str(wanted),
            "votes": votes,
            "met": met,
        }


_MEMBERS: Final = frozenset({"option", "bound", "share", "of"})


@dataclass(frozen=True, slots=True)
class Eligible:
    """Who might have voted: how many people, and what their votes weigh together."""

    people: int
    weight: int


def tick_quorum(share: Fraction, eligible: Eligible, people: int) -> Document:
    """Return how many of the people eligible took part, and whether they suffice."""
    wanted = share * eligible.people
    return {
        "share": str(share),
        "eligible": eligible.people,
        "wanted": str(wanted),
        "people": people,
        "met": people >= wanted,
    }
