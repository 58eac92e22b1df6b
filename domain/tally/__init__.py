"""Tallies: nine methods, counted exactly, from the same ballots to the same bytes.

Integers and fractions only. Nothing here reads a clock, a database or a file.
"""

from domain.tally.ballots import BadBallot, Ballots, Group
from domain.tally.counting import (
    METHODS,
    OF_RANKING,
    check,
    count,
    from_rankings,
    gather,
    regroup,
)
from domain.tally.documents import canonical
from domain.tally.elections import Election
from domain.tally.lots import Lots, commitment
from domain.tally.thresholds import (
    BadElection,
    Bound,
    Eligible,
    Requirement,
    Whole,
)

__all__ = [
    "METHODS",
    "OF_RANKING",
    "BadBallot",
    "BadElection",
    "Ballots",
    "Bound",
    "Election",
    "Eligible",
    "Group",
    "Lots",
    "Requirement",
    "Whole",
    "canonical",
    "check",
    "commitment",
    "count",
    "from_rankings",
    "gather",
    "regroup",
]
