"""Instant run-off: the last is excluded until one has more than half of the votes.

Rankings may be partial; a vote whose ranking is used up counts for nobody, and half
is half of those that still count. A tie for the last place is broken by the earliest
stage at which the tied differ, then by lot.
"""

from domain.tally import rankings
from domain.tally.ballots import Ballots
from domain.tally.counts import Count
from domain.tally.documents import Document
from domain.tally.elections import Election
from domain.tally.leading import check_options
from domain.tally.lots import Lots
from domain.tally.piles import Passed, Piles
from domain.tally.thresholds import BadElection
from domain.tally.ties import Purpose, Ties

read = rankings.read


def check(election: Election) -> None:
    """Refuse more than one seat."""
    check_options(election)
    if election.seats != 1:
        raise BadElection("An instant run-off elects one; use STV for more seats.")


def count(election: Election, ballots: Ballots, lots: Lots) -> Count:
    """Exclude the last, one at a time, until somebody has more than half."""
    piles = Piles(ballots.rankings(), unit=1)
    standing = set(election.options)
    ties = Ties(lots)
    history = [{option: piles.votes(option) for option in election.options}]
    exhausted = 0
    stages = [_stage("first preferences", history, exhausted)]
    while (winner := _majority(history[-1])) is None and any(history[-1].values()):
        last = ties.lowest(standing, history, Purpose.EXCLUSION)
        standing.remove(last)
        passed = piles.pass_on(last, standing, lambda value: value)
        exhausted += passed.non_transferable
        history.append(_after(history[-1], last, passed))
        stages.append(_stage("exclusion", history, exhausted, last, passed))
    elected = [winner] if winner else []
    stages[-1]["elected"] = elected
    if winner:
        told = f" {winner} has more than half and is elected."
        stages[-1]["explanation"] += told
    return Count(elected=elected, passed=bool(elected), stages=stages, ties=ties.broken)


def _majority(votes: dict[str, int]) -> str | None:
    total = sum(votes.values())
    return next((option for option in votes if 2 * votes[option] > total), None)


def _after(votes: dict[str, int], last: str, passed: Passed) -> dict[str, int]:
    after = {
        option: count + passed.received.get(option, 0)
        for option, count in votes.items()
    }
    after[last] = 0
    return after


def _stage(
    action: str,
    history: list[dict[str, int]],
    exhausted: int,
    last: str | None = None,
    passed: Passed | None = None,
) -> Document:
    told = "First preferences are counted."
    if last is not None:
        told = f"{last} has the fewest votes, {history[-2][last]}, and is excluded."
    return {
        "stage": len(history),
        "action": action,
        "option": last,
        "received": passed.received if passed else {},
        "votes": dict(history[-1]),
        "non_transferable": exhausted,
        "elected": [],
        "explanation": told,
    }
