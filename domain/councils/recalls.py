"""Recalls: called by one, seconded by another within a week, then voted on."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.councils import countback, elections, keeping
from domain.councils.record import Council, CouncilMember, Recall
from domain.errors import Conflict, NotFound
from domain.governance import proposals
from domain.governance.cases import Case
from domain.governance.cases import find as find_proposal
from domain.governance.lifecycle import FINAL
from domain.governance.record import BadProposal
from domain.governance.texts import Text
from domain.ids import uuid7
from domain.pages import Page, Position, newest_first

RECALL: Final = "recall"
SECONDED_WITHIN: Final = timedelta(days=7)


class NoSuchRecall(NotFound):
    """There is no such recall of this council or of a member of it."""

    code = "no_such_recall"


class RecallOpen(Conflict):
    """A recall of the same member, or of the whole council, is not over yet."""

    code = "recall_open"


class RecallLapsed(Conflict):
    """Nobody seconded this recall within a week; call it anew."""

    code = "recall_lapsed"


class RecallSeconded(Conflict):
    """This recall was seconded, and is voted on."""

    code = "recall_seconded"


class OwnRecall(Conflict):
    """Another than who called a recall seconds it."""

    code = "own_recall"


class NobodySits(Conflict):
    """Nobody sits in this council, so that there is nothing to recall."""

    code = "nobody_sits"


def call(  # noqa: PLR0913  what is known of a recall
    session: Session,
    council_id: UUID,
    *,
    caller: UUID,
    member_id: UUID | None,
    reason: str,
    now: datetime,
) -> Recall:
    """Call for the recall of one who sits in a council, or of all of them."""
    keeping.lock(session, council_id, now=now)
    if member_id is not None:
        keeping.find_held(session, council_id, member_id, now=now)
    elif not keeping.members(session, council_id, at=now):
        raise NobodySits
    same = Recall.member_id.is_not_distinct_from(member_id)
    earlier = session.scalars(
        sa.select(Recall).where(Recall.council_id == council_id, same)
    )
    if any(_is_open(session, one, now=now) for one in earlier):
        raise RecallOpen
    made = Recall(
        id=uuid7(),
        council_id=council_id,
        member_id=member_id,
        reason=reason,
        called_by=caller,
        called_at=now,
    )
    session.add(made)
    session.flush()
    return made


def second(
    session: Session, council_id: UUID, recall_id: UUID, *, by: UUID, now: datetime
) -> Recall:
    """Second a recall, which opens the vote on it."""
    council = keeping.lock(session, council_id, now=now)
    recall = find(session, council_id, recall_id)
    if recall.seconded_at is not None:
        raise RecallSeconded
    if now >= recall.called_at + SECONDED_WITHIN:
        raise RecallLapsed
    if recall.called_by == by:
        raise OwnRecall
    if recall.member_id is not None:
        keeping.find_held(session, council_id, recall.member_id, now=now)
    drafted = proposals.create(
        session,
        author=recall.called_by,
        type_name=RECALL,
        text=_text(session, council, recall),
        council_id=council_id,
        by_rule=True,
        now=now,
    )
    recall.seconded_by, recall.seconded_at = by, now
    recall.proposal_id = drafted.row.id
    proposals.open_(
        session, drafted.row.id, actor=recall.called_by, by_rule=True, now=now
    )
    return recall


def _text(session: Session, council: Council, recall: Recall) -> Text:
    whom = f"the council {council.name}"
    if recall.member_id is not None:
        seat = keeping.find_seat(session, council.id, recall.member_id)
        whom = f"{seat.user.username} from {whom}"
    return Text(
        title=f"Recall of {whom}",
        description=recall.reason,
        details={
            "recall_id": str(recall.id),
            "member_id": recall.member_id and str(recall.member_id),
        },
    )


def find(session: Session, council_id: UUID, recall_id: UUID) -> Recall:
    """Return a recall of a council as it is now, or raise NoSuchRecall."""
    recall = session.get(Recall, recall_id, populate_existing=True)
    if recall is None or recall.council_id != council_id:
        raise NoSuchRecall
    return recall


def page(
    session: Session, council_id: UUID, *, start: Position | None, limit: int
) -> Page[Any]:
    """Return the recalls of a council and of who sits in it, newest first."""
    return newest_first(
        session,
        sa.select(Recall).where(Recall.council_id == council_id),
        column=Recall.id,  # type: ignore[arg-type]
        key=lambda row: row.Recall.id,
        start=start,
        limit=limit,
    )


def state(recall: Recall, now: datetime) -> str:
    """Return whether a recall waits to be seconded, was, or has lapsed."""
    if recall.seconded_at is not None:
        return "seconded"
    return "called" if now < recall.called_at + SECONDED_WITHIN else "lapsed"


def describe(recall: Recall, now: datetime) -> dict[str, Any]:
    """Return a recall as JSON shows it."""
    return {
        "id": str(recall.id),
        "council_id": str(recall.council_id),
        "seat_id": recall.member_id and str(recall.member_id),
        "reason": recall.reason,
        "state": state(recall, now),
        "called_by": str(recall.called_by),
        "called_at": recall.called_at.isoformat(),
        "lapses_at": (recall.called_at + SECONDED_WITHIN).isoformat(),
        "seconded_by": recall.seconded_by and str(recall.seconded_by),
        "seconded_at": recall.seconded_at and recall.seconded_at.isoformat(),
        "proposal_id": recall.proposal_id and str(recall.proposal_id),
    }


def _is_open(session: Session, recall: Recall, *, now: datetime) -> bool:
    if recall.proposal_id is None:
        return state(recall, now) == "called"
    return find_proposal(session, recall.proposal_id).state(now) not in FINAL


def carry_out(session: Session, case: Case, *, now: datetime) -> dict[str, Any]:
    """Take the seat, or all of them, that a recall was passed for.

    One seat is filled by countback; where all ended, an election is called at once.
    Who has left before is not recalled, nor who was seated when it had been seconded:
    of those it does not speak.
    """
    asked = sa.select(Recall).where(Recall.proposal_id == case.row.id)
    recall = session.scalar(asked)
    if recall is None:
        raise BadProposal("No recall that was called and seconded is behind this.")
    council = keeping.lock(session, recall.council_id, now=now)
    ended = [
        seat.row
        for seat in keeping.members(session, council.id, at=now)
        if _is_meant(recall, seat.row)
    ]
    for row in ended:
        keeping.end(session, row, "recalled", actor=None, now=now)
    told = {"ended": [str(row.id) for row in ended], "seated": None, "election": None}
    if recall.member_id is not None:
        return {**told, "seated": _fill(session, council, ended, now=now)}
    called = elections.follow(session, council.id, caller=recall.called_by, now=now)
    return {**told, "election": called and str(called.row.id)}


def _is_meant(recall: Recall, row: CouncilMember) -> bool:
    if recall.member_id is not None:
        return row.id == recall.member_id
    return recall.seconded_at is not None and row.since <= recall.seconded_at


def _fill(
    session: Session, council: Council, ended: list[CouncilMember], *, now: datetime
) -> str | None:
    """Return the seat of who takes over, if anybody does."""
    for row in ended:
        if (seat := countback.fill(session, council, row, now=now)) is not None:
            return str(seat.row.id)
    return None
