"""Seats that end early: who resigns, and who stays away."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.councils import countback, keeping
from domain.councils.record import Absence
from domain.errors import Conflict, Forbidden
from domain.ids import uuid7

# How long who is missed may take to answer.
ANSWER_WITHIN: Final = timedelta(days=30)


class NotYourSeat(Forbidden):
    """This is for whoever sits there."""

    code = "not_your_seat"


class OwnSeat(Conflict):
    """Others say that you are absent; resign if you want to leave."""

    code = "own_seat"


class AlreadyReported(Conflict):
    """This absence was reported, and waits for an answer."""

    code = "already_reported"


class NotReported(Conflict):
    """Nobody has reported an absence that is not answered."""

    code = "not_reported"


class TimeToAnswer(Conflict):
    """Who is missed has thirty days to answer, and these are not over."""

    code = "time_to_answer"


def resign(
    session: Session, council_id: UUID, seat_id: UUID, *, actor: UUID, now: datetime
) -> None:
    """Give up one's own seat, which is filled by countback."""
    keeping.lock(session, council_id, now=now)
    seat = keeping.find_seat(session, council_id, seat_id)
    if seat.user.id != actor:
        raise NotYourSeat
    if not seat.holds(now):
        raise keeping.SeatEnded
    keeping.end(session, seat.row, "resigned", actor=actor, now=now)
    countback.submit(session, seat.row, now=now)


def report(
    session: Session, council_id: UUID, seat_id: UUID, *, actor: UUID, now: datetime
) -> dict[str, Any]:
    """Say that another member of one's council stays away."""
    keeping.lock(session, council_id, now=now)
    seat = keeping.find_held(session, council_id, seat_id, now=now)
    keeping.require_in(session, council_id, actor, now=now)
    if seat.user.id == actor:
        raise OwnSeat
    if _unanswered(session, seat_id) is not None:
        raise AlreadyReported
    absence = Absence(id=uuid7(), member_id=seat_id, reported_by=actor, at=now)
    session.add(absence)
    session.flush()
    return describe(absence)


def answer(
    session: Session, council_id: UUID, seat_id: UUID, *, actor: UUID, now: datetime
) -> dict[str, Any]:
    """Say that one is there; late is better than never, while the seat is one's own."""
    keeping.lock(session, council_id, now=now)
    seat = keeping.find_held(session, council_id, seat_id, now=now)
    if seat.user.id != actor:
        raise NotYourSeat
    absence = _require_unanswered(session, seat_id)
    absence.answered_at = now
    session.flush()
    return describe(absence)


def declare_vacant(
    session: Session, council_id: UUID, seat_id: UUID, *, actor: UUID, now: datetime
) -> None:
    """End the seat of who was missed and did not answer; it is filled by countback."""
    keeping.lock(session, council_id, now=now)
    seat = keeping.find_held(session, council_id, seat_id, now=now)
    keeping.require_voice(session, council_id, actor, now=now)
    absence = _require_unanswered(session, seat_id)
    if now < absence.at + ANSWER_WITHIN:
        raise TimeToAnswer
    keeping.end(session, seat.row, "absent", actor=actor, now=now)
    countback.submit(session, seat.row, now=now)


def describe(absence: Absence) -> dict[str, Any]:
    """Return a report of an absence as JSON shows it."""
    return {
        "seat_id": str(absence.member_id),
        "reported_by": str(absence.reported_by),
        "at": absence.at.isoformat(),
        "answer_by": (absence.at + ANSWER_WITHIN).isoformat(),
        "answered_at": absence.answered_at and absence.answered_at.isoformat(),
    }


def _unanswered(session: Session, seat_id: UUID) -> Absence | None:
    open_ = Absence.member_id == seat_id, Absence.answered_at.is_(None)
    return session.scalar(sa.select(Absence).where(*open_))


def _require_unanswered(session: Session, seat_id: UUID) -> Absence:
    absence = _unanswered(session, seat_id)
    if absence is None:
        raise NotReported
    return absence
