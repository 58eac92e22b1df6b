"""Weights: what a member's vote counts, as the whole numbers that ballots carry."""

from collections.abc import Callable, Mapping
from math import isqrt
from typing import Final

# A square root is seldom whole: it is taken in thousandths, rounded down.
ROOT_UNITS: Final = 1_000


def one_each(_held: int) -> int:
    """Weigh every member the same."""
    return 1


def by_credits(held: int) -> int:
    """Weigh members by the credits they hold."""
    return held


def by_root(held: int) -> int:
    """Weigh members by the square root of their credits, in thousandths."""
    return isqrt(held * ROOT_UNITS * ROOT_UNITS)


RULES: Final[Mapping[str, Callable[[int], int]]] = {
    "one-each": one_each,
    "credits": by_credits,
    "square-root": by_root,
}
