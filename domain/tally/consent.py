"""Consent: passed when somebody consents and nobody objects with a reason."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from domain.tally.ballots import BadBallot, Ballot, Ballots
from domain.tally.counts import Count
from domain.tally.elections import Election
from domain.tally.lots import Lots
from domain.tally.thresholds import BadElection

CONSENT: Final = "consent"
ABSTAIN: Final = "abstain"
OBJECTION: Final = "objection"
REASON_LENGTH_MAX: Final = 2_000


def check(election: Election) -> None:
    """Refuse options and requirements: one objection is enough."""
    if election.options or election.requirements:
        raise BadElection("Consent takes no options and no requirements.")


def read(value: Any, _election: Election) -> Ballot:
    """Return consent, abstain, or an objection with its reason."""
    if isinstance(value, str) and value.lower() in {CONSENT, ABSTAIN}:
        return value.lower()
    pairs = value.items() if isinstance(value, Mapping) else [value]
    match list(pairs):
        case [(str(word), str(reason))] if word == OBJECTION and reason.strip():
            if len(reason) <= REASON_LENGTH_MAX:
                return (OBJECTION, reason.strip())
    raise BadBallot(
        'Say consent, abstain, or {"objection": "your reason"} '
        f"with up to {REASON_LENGTH_MAX} characters."
    )


def count(_election: Election, ballots: Ballots, _lots: Lots) -> Count:
    """Count people, whatever their votes weigh, and collect the reasons, each once."""
    people, reasons = Counter({CONSENT: 0, ABSTAIN: 0, OBJECTION: 0}), set[str]()
    for ballot, persons, _ in ballots:
        if isinstance(ballot, tuple):
            people[OBJECTION] += persons
            reasons.add(ballot[1])
        else:
            people[ballot] += persons
    told = f"{people[CONSENT]} consent, {people[OBJECTION]} object"
    return Count(
        passed=people[CONSENT] > 0 and not people[OBJECTION],
        stages=[
            {
                "stage": 1,
                "votes": dict(people),
                "explanation": f"{told}, {people[ABSTAIN]} abstain.",
            }
        ],
        figures={"reasons": sorted(reasons)},
    )
