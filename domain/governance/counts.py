"""Other counts: the same frozen ballots by another method, for advice.

They change nothing: what was decided is the binding count's alone.
"""

import json
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.audit_events import Action, record
from domain.errors import Conflict, Forbidden
from domain.governance import cases
from domain.governance.cases import Case
from domain.governance.counting import counted_otherwise, is_withheld
from domain.governance.tallying import binding, seed_of
from domain.governance.voting_record import Tally
from domain.ids import derived_id
from domain.jobs import Claim
from domain.pages import Page, Position, newest_first
from domain.principals import PEOPLES_APPLICATION
from domain.tally import canonical

COUNT: Final = "governance.count"


class NotCountedYet(Conflict):
    """The ballots of this proposal are not counted, or not yet."""

    code = "not_counted_yet"


class ResultWithheld(Forbidden):
    """So few voted in secret that anything but the outcome would tell who did."""

    code = "result_withheld"


def published(session: Session, case: Case) -> Tally:
    """Return the binding count, or say why its ballots are not shown."""
    found = binding(session, case.row.id)
    if found is None or case.freeze is None:
        raise NotCountedYet
    people = json.loads(found.result)["ballots"]["people"]
    if is_withheld(secret=case.parameters.secret, people=people):
        raise ResultWithheld
    return found


def run(session: Session, claim: Claim, *, now: datetime) -> dict[str, Any]:
    """Count as a job asks; the same question again finds the first answer."""
    payload = claim.payload
    case = cases.find(session, UUID(payload["proposal_id"]))
    made = _count(
        session, case, method=payload["method"], seats=payload.get("seats"), now=now
    )
    record(
        session,
        action=Action.COUNT_MADE,
        application=PEOPLES_APPLICATION,
        actor=claim.principal,
        subject=f"proposal:{case.row.id}",
        details={"method": made.method, "count": str(made.id)},
        request_id=claim.request_id,
        now=now,
    )
    return {"count": describe(made, case)}


def _count(
    session: Session, case: Case, *, method: str, seats: int | None, now: datetime
) -> Tally:
    bound = published(session, case)
    assert case.freeze is not None, "what is counted was frozen"  # noqa: S101
    seed = seed_of(session, case.row.id)
    result = counted_otherwise(
        case.freeze, bound.groups, seed, method=method, seats=seats
    )
    key = derived_id(COUNT, case.row.id, method, result["election"]["seats"])
    known = session.get(Tally, key)
    if known is not None:
        return known
    made = Tally(
        id=key,
        proposal_id=case.row.id,
        method=method,
        advisory=True,
        ballots_sha256=bound.ballots_sha256,
        # They are those of the binding count, which it is told by the hash of.
        groups=[],
        result=canonical(result).decode(),
        at=now,
    )
    session.add(made)
    session.flush()
    return made


def page(
    session: Session, proposal_id: UUID, *, start: Position | None, limit: int
) -> Page[Any]:
    """Return the counts for advice of a proposal, as rows of one Tally each."""
    return newest_first(
        session,
        sa.select(Tally).where(Tally.proposal_id == proposal_id, Tally.advisory),
        column=Tally.id.expression,
        key=lambda row: row.Tally.id,
        start=start,
        limit=limit,
    )


def describe(made: Tally, case: Case) -> dict[str, Any]:
    """Return a count as JSON shows it."""
    return {
        "id": str(made.id),
        "proposal_id": str(made.proposal_id),
        "method": made.method,
        "advisory": made.advisory,
        "definition_sha256": case.definition_sha256,
        "ballots_sha256": made.ballots_sha256,
        "at": made.at.isoformat(),
        "result": json.loads(made.result),
    }
