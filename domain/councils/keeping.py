"""Councils, and who sits in them at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from domain import roles
from domain.audit_events import Action
from domain.councils.record import Council, CouncilMember
from domain.errors import Conflict, Forbidden, NotFound
from domain.ids import uuid7
from domain.pages import Page, Position, newest_first
from domain.principals import PEOPLES_APPLICATION
from domain.telling import tell
from domain.users import User

# Who sits has this role until the council gives them another.
MEMBER: Final = "member"
_OPERATORS: Final = frozenset({"operator", "admin"})


class NoSuchCouncil(NotFound):
    """There is no such council."""

    code = "no_such_council"


class NoSuchSeat(NotFound):
    """Nobody has or had such a seat in this council."""

    code = "no_such_seat"


class CouncilNameTaken(Conflict):
    """There is a council of this name already."""

    code = "council_name_taken"


class NotInCouncil(Forbidden):
    """This is for those who sit in the council."""

    code = "not_in_council"


class SeatEnded(Conflict):
    """Nobody sits there any more."""

    code = "seat_ended"


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat with who has or had it."""

    row: CouncilMember
    user: User

    def holds(self, at: datetime) -> bool:
        """Say whether the seat was theirs at a time."""
        row, left = self.row, self.user.deleted_at
        return (
            row.since <= at < row.until
            and (row.ended_at is None or at < row.ended_at)
            and (left is None or at < left)
        )

    def describe(self, now: datetime) -> dict[str, Any]:
        """Return the seat as JSON shows it."""
        row = self.row
        return {
            "id": str(row.id),
            "council_id": str(row.council_id),
            "user_id": str(row.user_id),
            "username": self.user.username,
            "role": row.role,
            "affiliation": row.affiliation,
            "active": self.holds(now),
            "since": row.since.isoformat(),
            "until": row.until.isoformat(),
            "ended_at": row.ended_at and row.ended_at.isoformat(),
            "ended_because": row.ended_because,
            "elected_by": row.elected_by and str(row.elected_by),
        }


def create(  # noqa: PLR0913  what is known of a council
    session: Session,
    *,
    name: str,
    description: str,
    seats: int,
    term_days: int,
    affiliation_cap: int | None = None,
    now: datetime,
) -> Council:
    """Store a council in which nobody sits yet."""
    row = {
        "id": uuid7(),
        "name": name,
        "description": description,
        "seats": seats,
        "term_days": term_days,
        "affiliation_cap": affiliation_cap,
        "created_at": now,
    }
    insert = postgresql.insert(Council).values(row).on_conflict_do_nothing()
    council: Council | None = session.scalar(insert.returning(Council))
    if council is None:
        raise CouncilNameTaken
    return council


def find(session: Session, council_id: UUID) -> Council:
    """Return a council, or raise NoSuchCouncil."""
    council = session.get(Council, council_id)
    if council is None:
        raise NoSuchCouncil
    return council


def lock(session: Session, council_id: UUID, *, now: datetime) -> Council:
    """Return a council in which nobody else changes who sits, or raise NoSuchCouncil.

    Seats whose time is over are written down as ended, so that they can be taken.
    """
    council = session.get(
        Council, council_id, with_for_update=True, populate_existing=True
    )
    if council is None:
        raise NoSuchCouncil
    _end_past(session, council_id, now=now)
    return council


def _end_past(session: Session, council_id: UUID, *, now: datetime) -> None:
    open_ = _seats().where(
        CouncilMember.council_id == council_id, CouncilMember.ended_at.is_(None)
    )
    for seat in _read(session, open_):
        left, until = seat.user.deleted_at, seat.row.until
        if left is not None and left < until:
            seat.row.ended_at, seat.row.ended_because = left, "left"
        elif until <= now:
            seat.row.ended_at, seat.row.ended_because = until, "expired"
    session.flush()


def page(
    session: Session, *, start: Position | None, limit: int, now: datetime
) -> Page[Any]:
    """Return councils, newest first, each with how many sit in it."""
    occupied = (
        sa.select(sa.func.count())
        .select_from(CouncilMember)
        .join(User, User.id == CouncilMember.user_id)
        .where(CouncilMember.council_id == Council.id, *_holding(now))
        .correlate(Council)
        .scalar_subquery()
    )
    return newest_first(
        session,
        sa.select(Council, occupied.label("occupied")),
        column=Council.id,  # type: ignore[arg-type]
        key=lambda row: row.Council.id,
        start=start,
        limit=limit,
    )


def describe(council: Council, occupied: int) -> dict[str, Any]:
    """Return a council as JSON shows it, with how many sit in it."""
    return {
        "id": str(council.id),
        "name": council.name,
        "description": council.description,
        "seats": council.seats,
        "vacancies": council.seats - occupied,
        "term_days": council.term_days,
        "affiliation_cap": council.affiliation_cap,
        "created_at": council.created_at.isoformat(),
    }


def members(session: Session, council_id: UUID, *, at: datetime) -> list[Seat]:
    """Return who sat in a council at a time, the longest there first."""
    held = _seats().where(CouncilMember.council_id == council_id, *_holding(at))
    return _read(session, held.order_by(CouncilMember.since, CouncilMember.id))


def page_of_members(  # noqa: PLR0913  the filters of the list
    session: Session,
    *,
    role: str | None = None,
    council_id: UUID | None = None,
    active: bool | None = None,
    start: Position | None = None,
    limit: int,
    now: datetime,
) -> Page[Any]:
    """Return seats of all councils, newest first, those that ended too."""
    statement = _seats()
    if role is not None:
        statement = statement.where(CouncilMember.role == role)
    if council_id is not None:
        statement = statement.where(CouncilMember.council_id == council_id)
    if active is not None:
        holds = sa.and_(*_holding(now))
        statement = statement.where(holds if active else ~holds)
    return newest_first(
        session,
        statement,
        column=CouncilMember.id,  # type: ignore[arg-type]
        key=lambda row: row.CouncilMember.id,
        start=start,
        limit=limit,
    )


def find_seat(session: Session, council_id: UUID, seat_id: UUID) -> Seat:
    """Return a seat of a council, or raise NoSuchSeat."""
    wanted = CouncilMember.id == seat_id, CouncilMember.council_id == council_id
    found = _read(session, _seats().where(*wanted))
    if not found:
        raise NoSuchSeat
    return found[0]


def find_held(
    session: Session, council_id: UUID, seat_id: UUID, *, now: datetime
) -> Seat:
    """Return a seat that somebody holds, or raise SeatEnded."""
    seat = find_seat(session, council_id, seat_id)
    if not seat.holds(now):
        raise SeatEnded
    return seat


def require_in(
    session: Session, council_id: UUID, person: UUID, *, now: datetime
) -> None:
    """Raise NotInCouncil unless a person sits in a council."""
    if all(seat.user.id != person for seat in members(session, council_id, at=now)):
        raise NotInCouncil


def require_voice(
    session: Session, council_id: UUID, person: UUID, *, now: datetime
) -> None:
    """Raise NotInCouncil unless a person sits in a council, or is an operator."""
    if not _OPERATORS & roles.effective(session, person, now=now):
        require_in(session, council_id, person, now=now)


def change_role(  # noqa: PLR0913  what is known of the deed
    session: Session,
    council_id: UUID,
    seat_id: UUID,
    role: str,
    *,
    actor: UUID,
    now: datetime,
) -> Seat:
    """Give who sits there another role within the council."""
    lock(session, council_id, now=now)
    seat = find_held(session, council_id, seat_id, now=now)
    require_voice(session, council_id, actor, now=now)
    seat.row.role = role
    session.flush()
    return seat


def term_end(session: Session, council: Council, *, now: datetime) -> datetime:
    """Return until when who fills a vacancy now sits: as long as all the others."""
    running = sa.select(sa.func.max(CouncilMember.until)).where(
        CouncilMember.council_id == council.id, CouncilMember.until > now
    )
    return session.scalar(running) or now + timedelta(days=council.term_days)


def take(  # noqa: PLR0913  what is known of a seat
    session: Session,
    council: Council,
    user: User,
    *,
    affiliation: str | None,
    until: datetime,
    elected_by: UUID,
    now: datetime,
) -> Seat:
    """Seat a person in a council that is locked."""
    row = CouncilMember(
        id=uuid7(),
        council_id=council.id,
        user_id=user.id,
        role=MEMBER,
        affiliation=affiliation,
        since=now,
        until=until,
        elected_by=elected_by,
    )
    session.add(row)
    session.flush()
    _note(session, Action.SEAT_TAKEN, row, actor=None, now=now)
    return Seat(row, user)


def end(
    session: Session,
    row: CouncilMember,
    because: str,
    *,
    actor: UUID | None,
    now: datetime,
) -> None:
    """End a seat in a council that is locked."""
    row.ended_at, row.ended_because = now, because
    session.flush()
    _note(session, Action.SEAT_ENDED, row, actor=actor, now=now)


def _note(
    session: Session,
    action: Action,
    row: CouncilMember,
    *,
    actor: UUID | None,
    now: datetime,
) -> None:
    """Record a change of who sits, whoever or whatever made it."""
    tell(
        session,
        action=action,
        application=PEOPLES_APPLICATION,
        actor=actor,
        subject=f"seat:{row.id}",
        details={
            "council": str(row.council_id),
            "user": str(row.user_id),
            "because": row.ended_because,
        },
        request_id=None,
        now=now,
    )


def _holding(at: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Return what is so of a seat that somebody holds at a time."""
    unended = sa.or_(CouncilMember.ended_at.is_(None), CouncilMember.ended_at > at)
    stays = sa.or_(User.deleted_at.is_(None), User.deleted_at > at)
    return CouncilMember.since <= at, CouncilMember.until > at, unended, stays


def _seats() -> sa.Select[Any]:
    both: Any = (CouncilMember, User)
    found: sa.Select[Any] = sa.select(*both)
    return found.join(User, User.id == CouncilMember.user_id)


def _read(session: Session, statement: sa.Select[Any]) -> list[Seat]:
    fresh = {"populate_existing": True}
    rows: Sequence[Any] = session.execute(statement, execution_options=fresh).all()
    return [Seat(*row) for row in rows]
