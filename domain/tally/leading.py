"""The most votes win: what methods that add up votes have in common."""

from collections.abc import Mapping
from typing import Any

from domain.tally.counts import Count
from domain.tally.documents import listed
from domain.tally.elections import Election
from domain.tally.lots import Lots
from domain.tally.thresholds import BadElection
from domain.tally.ties import Purpose, Ties


def check_options(election: Election) -> None:
    """Refuse an election without options, or with requirements that nothing reads."""
    if not election.options:
        raise BadElection(f"{election.method} needs options.")
    if election.requirements:
        raise BadElection(f"{election.method} takes no requirements.")


def elect(
    election: Election, votes: Mapping[str, int], lots: Lots, **figures: Any
) -> Count:
    """Elect as many options as there are seats, the most votes first.

    An option without a vote is not elected, though a seat stays empty.
    """
    ties = Ties(lots)
    standing = {option for option in election.options if votes[option] > 0}
    elected: list[str] = []
    while standing and len(elected) < election.seats:
        purpose = _purpose(standing, votes, election.seats - len(elected))
        elected.append(ties.highest(standing, [votes], purpose))
        standing.remove(elected[-1])
    told = f"The most votes have {listed(elected)}." if elected else "Nobody has votes."
    stage = {"stage": 1, "votes": dict(votes), "elected": elected, "explanation": told}
    return Count(
        elected=elected,
        passed=bool(elected),
        stages=[stage],
        ties=ties.broken,
        figures=figures,
    )


def _purpose(standing: set[str], votes: Mapping[str, int], seats: int) -> Purpose:
    """Say whether a tie for the most votes decides who is elected, or only when."""
    most = max(votes[option] for option in standing)
    tied = sum(votes[option] == most for option in standing)
    return Purpose.ORDER if tied <= seats else Purpose.SEAT
