"""Results: how a vote stands, and what came of it.

While a vote is open it shows who took part, and of a secret vote nothing else. Once the
ballots are counted a result never changes again.
"""

import json
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.orm import Session

from domain.governance.ballot_parts import grouped_now
from domain.governance.cases import Case
from domain.governance.counting import SECRET_PEOPLE_MIN, is_withheld
from domain.governance.delegations import carried
from domain.governance.freezing import election_of
from domain.governance.lifecycle import Event, State
from domain.governance.record import Freeze
from domain.governance.tallying import binding, progress
from domain.governance.voting_record import Tally
from domain.tally import Ballots, Eligible, count, regroup
from domain.tally.thresholds import tick_quorum

# Of these the votes so far are known from a sum; to count others takes longer.
_SHOWN_LIVE: Final = frozenset({"yes-no", "consent", "single-choice"})
# Beyond so many a look would cost the database too much: they are counted at the close.
LIVE_PEOPLE_MAX: Final = 100_000
# With delegation all the more, as it is looked up person by person who votes for whom;
# and beyond so many nobody looks every time.
LIVE_ELECTORS_MAX: Final = 20_000
_COSTLY_ELECTORS: Final = 1_000
WITHHELD: Final = (
    f"Fewer than {SECRET_PEOPLE_MIN} people voted in secret: any number would tell who "
    "cast what."
)


class Phase(StrEnum):
    """How far a vote has come."""

    BEFORE = "before"
    OPEN = "open"
    COUNTING = "counting"
    COUNTED = "counted"
    CANCELLED = "cancelled"


_PHASES: Final = {
    State.DRAFT: Phase.BEFORE,
    State.DISCUSSION: Phase.BEFORE,
    State.FROZEN: Phase.BEFORE,
    State.VOTING: Phase.OPEN,
    State.CLOSED: Phase.COUNTING,
    State.CANCELLED: Phase.CANCELLED,
}


def phase(case: Case, now: datetime) -> Phase:
    """Return how far the vote on a proposal has come."""
    return _PHASES.get(case.state(now), Phase.COUNTED)


def show(session: Session, case: Case, *, now: datetime) -> dict[str, Any]:
    """Return the result of a proposal, or how its vote stands."""
    found = phase(case, now)
    ballots = _ballots_now(session, case) if found is Phase.OPEN else None
    shown: dict[str, Any] = {
        "proposal_id": str(case.row.id),
        "phase": str(found),
        "method": case.parameters.method,
        "secret": case.parameters.secret,
        "closes_at": case.timeline and case.timeline.closes.isoformat(),
        "definition_sha256": case.definition_sha256,
        "electorate": _electorate(case),
        "turnout": case.row.turnout,
        "quorum": _quorum(session, case, ballots),
        "so_far": _so_far(case, ballots),
        "progress": progress(session, case) if found is Phase.COUNTING else None,
        "outcome": None,
        "failed_for": None,
        "elected": None,
        "ballots_sha256": None,
        "tally_id": None,
        "counted_at": None,
        "result": None,
        "withheld": None,
        "links": links(case, found),
    }
    tally = binding(session, case.row.id) if found is Phase.COUNTED else None
    return shown if tally is None else {**shown, **_counted(case, tally)}


def is_costly(case: Case) -> bool:
    """Say whether how a vote stands, or stood, takes the database long to tell."""
    if case.freeze is None or not case.parameters.delegation:
        return False
    return case.freeze.people > _COSTLY_ELECTORS


def links(case: Case, found: Phase) -> dict[str, str]:
    """Return where to go on."""
    path = f"/api/governance/proposals/{case.row.id}"
    told = {"proposal": path, "explain": f"{path}/explain"}
    if found is Phase.COUNTED:
        told |= {"package": f"{path}/package", "counts": f"{path}/counts"}
    return told


def _counted(case: Case, tally: Tally) -> dict[str, Any]:
    """Return what a binding count adds; of very few secret ballots the outcome."""
    result = json.loads(tally.result)
    told = {
        "outcome": result["outcome"],
        "failed_for": result["failed_for"],
        "elected": result["elected"],
        "tally_id": str(tally.id),
        "counted_at": tally.at.isoformat(),
    }
    people = result["ballots"]["people"]
    if is_withheld(secret=case.parameters.secret, people=people):
        return {**told, "withheld": WITHHELD}
    return {
        **told,
        "quorum": result["quorum"],
        "ballots_sha256": tally.ballots_sha256,
        "result": result,
    }


def _electorate(case: Case) -> dict[str, Any] | None:
    freeze = case.freeze
    if freeze is None:
        return None
    return {"people": freeze.people, "weight": freeze.weight}


def _ballots_now(session: Session, case: Case) -> Ballots | None:
    """Return the ballots of an open vote, where they may be shown and cheaply are."""
    freeze, rules = case.freeze, case.parameters
    if freeze is None or rules.secret or rules.method not in _SHOWN_LIVE:
        return None
    if not _is_small(case, freeze):
        return None
    return regroup(election_of(freeze), grouped_now(session, case))


def _is_small(case: Case, freeze: Freeze) -> bool:
    """Say whether a look at the ballots costs the database little."""
    if case.parameters.delegation:
        return freeze.people <= LIVE_ELECTORS_MAX
    return case.row.turnout <= LIVE_PEOPLE_MAX


def _quorum(
    session: Session, case: Case, ballots: Ballots | None
) -> dict[str, Any] | None:
    """Return how far the quorum is reached; who is represented takes part."""
    share, freeze = case.parameters.share(), case.freeze
    if share is None or freeze is None or Event.TALLIED in case.events:
        return None
    people = case.row.turnout
    if ballots is not None:
        people = ballots.people
    elif case.parameters.delegation and _is_small(case, freeze):
        hands = carried(session, case.row.id, case.parameters.delegation_cap)
        people = sum(one.people for one in hands.values())
    return tick_quorum(share, Eligible(freeze.people, freeze.weight), people)


def _so_far(case: Case, ballots: Ballots | None) -> dict[str, Any] | None:
    """Return the votes so far, which decide nothing yet."""
    if ballots is None or case.freeze is None:
        return None
    found = count(election_of(case.freeze), ballots)
    return {
        "people": ballots.people,
        "blank": ballots.blank,
        "votes": found["stages"][0]["votes"],
    }
