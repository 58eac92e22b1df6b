"""Nominations: members say themselves that they stand, until the election is frozen."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import users
from domain.councils import keeping
from domain.councils.record import Nomination
from domain.errors import Conflict, NotFound
from domain.governance.cases import Case, find
from domain.governance.lifecycle import State
from domain.governance.parameters import Deed
from domain.governance.record import NoSuchProposal
from domain.users import User

# More than anybody would put in order.
NOMINEES_MAX: Final = 100


class NoSuchElection(NotFound):
    """There is no such election."""

    code = "no_such_election"


class NoSuchNomination(NotFound):
    """This person does not stand in this election."""

    code = "no_such_nomination"


class AlreadyInCouncil(Conflict):
    """Who sits in the council does not stand for a vacancy of it."""

    code = "already_in_council"


class TooManyNominees(Conflict):
    """As many stand as can be put on one ballot."""

    code = "too_many_nominees"


def find_election(session: Session, election_id: UUID, *, lock: bool = False) -> Case:
    """Return an election of a council, or raise NoSuchElection."""
    try:
        case = find(session, election_id, lock=lock)
    except NoSuchProposal:
        raise NoSuchElection from None
    if case.parameters.deed is not Deed.SEATS or case.row.council_id is None:
        raise NoSuchElection
    return case


def nominate(  # noqa: PLR0913  what is known of a nomination
    session: Session,
    election_id: UUID,
    *,
    person: UUID,
    statement: str,
    affiliation: str | None,
    now: datetime,
) -> dict[str, Any]:
    """Let a person stand, or change what they say, while nominations are open."""
    case = find_election(session, election_id, lock=True)
    case.require({State.DISCUSSION}, now)
    user = users.get(session, person)
    _require_outside(session, case, person, now=now)
    row = session.get(Nomination, (election_id, person))
    if row is None or row.withdrawn_at is not None:
        _require_room(session, election_id)
    if row is None:
        row = Nomination(proposal_id=election_id, user_id=person, at=now)
        session.add(row)
    row.statement, row.affiliation = statement, affiliation
    row.withdrawn_at = None
    session.flush()
    return _describe(row, user)


def withdraw(
    session: Session, election_id: UUID, *, person: UUID, now: datetime
) -> None:
    """Let a person stand no more, while nominations are open."""
    case = find_election(session, election_id, lock=True)
    row = session.get(Nomination, (election_id, person))
    if row is None or row.withdrawn_at is not None:
        raise NoSuchNomination
    case.require({State.DISCUSSION}, now)
    row.withdrawn_at = now
    session.flush()


def nominees(session: Session, election_id: UUID) -> list[dict[str, Any]]:
    """Return who stands, by their names; who has left the community does not."""
    rows = session.execute(
        sa.select(Nomination, User)
        .join(User, User.id == Nomination.user_id)
        .where(*_standing(election_id), User.deleted_at.is_(None))
        .order_by(User.username)
    )
    return [_describe(*row) for row in rows]


def _require_outside(
    session: Session, case: Case, person: UUID, *, now: datetime
) -> None:
    if case.text.details.get("all") or case.row.council_id is None:
        return
    sitting = keeping.members(session, case.row.council_id, at=now)
    if any(seat.user.id == person for seat in sitting):
        raise AlreadyInCouncil


def _require_room(session: Session, election_id: UUID) -> None:
    standing = sa.select(sa.func.count()).where(*_standing(election_id))
    if session.scalar(standing.select_from(Nomination)) == NOMINEES_MAX:
        raise TooManyNominees


def _standing(election_id: UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return Nomination.proposal_id == election_id, Nomination.withdrawn_at.is_(None)


def _describe(row: Nomination, user: User) -> dict[str, Any]:
    return {
        "election_id": str(row.proposal_id),
        "user_id": str(row.user_id),
        "username": user.username,
        "affiliation": row.affiliation,
        "statement": row.statement,
        "at": row.at.isoformat(),
    }
