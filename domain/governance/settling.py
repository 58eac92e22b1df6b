"""When a vote between yes and no is settled: whoever else votes changes nothing."""

from collections.abc import Iterator, Mapping

from domain.tally import Election, Requirement, Whole
from domain.tally.yes_no import ABSTAIN, NO, SIMPLE_MAJORITY, YES

Votes = Mapping[str, int]


def is_settled(election: Election, votes: Votes, *, people: int) -> bool:
    """Say whether the outcome is certain; everybody who voted has voted for good.

    A requirement compares sums, so that over all that the rest may cast it is met most
    easily, and least, where all of them vote alike or nobody does. It will pass when
    every requirement is met in each of these cases, and a quorum has been reached. It
    will fail when one requirement is met in none.
    """
    eligible = election.eligible
    if eligible is None or people >= eligible.people:
        return eligible is not None
    left = eligible.weight - sum(votes.values())
    if not _cast(votes):
        return left == 0
    needed = election.requirements or (SIMPLE_MAJORITY,)
    ends = list(_ends(votes, left))
    met = [[_is_met(one, end, eligible.weight) for end in ends] for one in needed]
    if not all(any(ticks) for ticks in met):
        return True
    reached = election.quorum is None or people >= election.quorum * eligible.people
    return reached and all(all(ticks) for ticks in met)


def _ends(votes: Votes, left: int) -> Iterator[Votes]:
    """Yield what will have been cast if nobody else votes, or all of them alike."""
    yield votes
    for word in (YES, NO, ABSTAIN):
        yield {**votes, word: votes[word] + left}


def _is_met(requirement: Requirement, votes: Votes, eligible: int) -> bool:
    whole = eligible if requirement.of is Whole.ELIGIBLE else _cast(votes)
    return bool(requirement.tick(votes[requirement.option], whole)["met"])


def _cast(votes: Votes) -> int:
    return votes[YES] + votes[NO]
