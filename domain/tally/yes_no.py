"""Yes or no: passed when votes meet every requirement.

Yes and no are votes cast; an abstention is none, but who abstains takes part. Without
requirements a simple majority is needed, more yes than no: a tie fails.
"""

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from domain.tally.ballots import BadBallot, Ballots
from domain.tally.counts import Count
from domain.tally.elections import Election
from domain.tally.lots import Lots
from domain.tally.thresholds import BadElection, Bound, Requirement, Whole

YES: Final = "yes"
NO: Final = "no"
ABSTAIN: Final = "abstain"
SIMPLE_MAJORITY: Final = Requirement(YES, Bound.MORE_THAN, Fraction(1, 2))

_WORDS: Final[Mapping[str, str]] = {
    "yes": YES,
    "for": YES,
    "no": NO,
    "against": NO,
    "abstain": ABSTAIN,
}


def check(election: Election) -> None:
    """Refuse options of one's own, and requirements on anything else."""
    if election.options:
        raise BadElection("Yes or no takes no options.")
    for requirement in election.requirements:
        if requirement.option not in {YES, NO, ABSTAIN}:
            raise BadElection(f"{requirement.option!r} is not yes, no or abstain.")


def read(value: Any, _election: Election) -> str:
    """Return yes, no or abstain for the word cast."""
    word = _WORDS.get(value.lower()) if isinstance(value, str) else None
    if word is None:
        raise BadBallot("Vote yes or for, no or against, or abstain.")
    return word


def count(election: Election, ballots: Ballots, _lots: Lots) -> Count:
    """Add up the votes, and tick every requirement."""
    votes, people = Counter({YES: 0, NO: 0, ABSTAIN: 0}), Counter[str]()
    for ballot, persons, weight in ballots:
        votes[ballot] += weight
        people[ballot] += persons
    cast = votes[YES] + votes[NO]
    wholes = {Whole.CAST: cast}
    if election.eligible is not None:
        wholes[Whole.ELIGIBLE] = election.eligible.weight
    ticked = [
        requirement.tick(votes[requirement.option], wholes[requirement.of])
        for requirement in election.requirements or (SIMPLE_MAJORITY,)
    ]
    told = f"{votes[YES]} yes, {votes[NO]} no, {votes[ABSTAIN]} abstentions"
    return Count(
        passed=cast > 0 and all(one["met"] for one in ticked),
        stages=[
            {
                "stage": 1,
                "votes": dict(votes),
                "people": {word: people[word] for word in votes},
                "explanation": f"{told}.",
            }
        ],
        figures={"cast": cast, "requirements": ticked},
    )
