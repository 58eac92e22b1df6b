"""Elections of councils: called, and carried out when they are counted."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from domain.audit_events import Action
from domain.councils import capping, contests, keeping
from domain.councils.capping import Seating
from domain.councils.keeping import Seat
from domain.councils.record import Council
from domain.errors import Conflict
from domain.governance import deeds, listing, proposals
from domain.governance.cases import Case
from domain.governance.lifecycle import FINAL
from domain.governance.parameters import BadParameters
from domain.governance.record import BadProposal
from domain.governance.texts import Text
from domain.pages import Page, Position
from domain.principals import PEOPLES_APPLICATION
from domain.telling import tell
from domain.users import User

ELECTION: Final = "council_election"
_LOOKED_AT: Final = 50


class ElectionOpen(Conflict):
    """An election of this council is not over yet."""

    code = "election_open"


class NoVacancy(Conflict):
    """All seats of this council are taken; elect all of it, or wait."""

    code = "no_vacancy"


def call(  # noqa: PLR0913  what is known of an election
    session: Session,
    council_id: UUID,
    *,
    caller: UUID,
    everybody: bool = False,
    by_rule: bool = False,
    now: datetime,
) -> Case:
    """Call an election to the vacant seats, or to all of them.

    `by_rule`: as what follows from a recall, or from a seat that nobody is next for
    (`follow`).
    """
    council = keeping.lock(session, council_id, now=now)
    vacant = council.seats - len(keeping.members(session, council_id, at=now))
    everybody = everybody or vacant == council.seats
    if not by_rule and running(session, council_id, now=now):
        raise ElectionOpen
    if not everybody and vacant <= 0:
        raise NoVacancy
    seats = council.seats if everybody else vacant
    drafted = proposals.create(
        session,
        author=caller,
        type_name=ELECTION,
        text=_text(council, seats, everybody=everybody),
        council_id=council_id,
        by_rule=by_rule,
        now=now,
    )
    if by_rule:
        _note(session, drafted, now=now)
    # Whether the caller may was asked when it was drafted.
    return proposals.open_(session, drafted.row.id, actor=caller, by_rule=True, now=now)


def follow(
    session: Session, council_id: UUID, *, caller: UUID, now: datetime
) -> Case | None:
    """Call the election that empty seats ask for; None where none is to be called.

    One to all seats that is under way fills them too. Where rules were changed so that
    they elect fewer, seats stay empty until an operator sees to it: nobody keeps one,
    or is kept in it, for that.
    """
    council = keeping.lock(session, council_id, now=now)
    vacant = council.seats - len(keeping.members(session, council_id, at=now))
    if vacant <= 0 or _to_all(session, council_id, now=now):
        return None
    try:
        return call(session, council_id, caller=caller, by_rule=True, now=now)
    except BadParameters:
        return None


def _note(session: Session, case: Case, *, now: datetime) -> None:
    """Record an election that a rule has called, and nobody."""
    tell(
        session,
        action=Action.ELECTION_CALLED,
        application=PEOPLES_APPLICATION,
        actor=None,
        subject=f"proposal:{case.row.id}",
        details={"council": str(case.row.council_id), **case.text.details},
        request_id=None,
        now=now,
    )


def _text(council: Council, seats: int, *, everybody: bool) -> Text:
    which = "all of them" if everybody else "those that are vacant"
    return Text(
        title=f"Election to the council {council.name}",
        description=f"Seats to be filled: {seats}, {which}. Whoever wants to sit in "
        "the council says so while nominations are open.",
        details={"seats": seats, "all": everybody},
    )


def running(session: Session, council_id: UUID, *, now: datetime) -> list[Case]:
    """Return the elections of a council that are not over."""
    found = page(session, council_id, start=None, limit=_LOOKED_AT, now=now)
    return [case for case in found.items if case.state(now) not in FINAL]


def _to_all(session: Session, council_id: UUID, *, now: datetime) -> bool:
    """Say whether all seats of a council are being elected."""
    return any(
        deeds.read_seats(case.details).everybody
        for case in running(session, council_id, now=now)
    )


def page(
    session: Session,
    council_id: UUID,
    *,
    start: Position | None,
    limit: int,
    now: datetime,
) -> Page[Case]:
    """Return the elections of a council, newest first."""
    return listing.page(
        session,
        type_name=ELECTION,
        council_id=council_id,
        start=start,
        limit=limit,
        now=now,
    )


def describe(case: Case, now: datetime) -> dict[str, Any]:
    """Return an election as JSON shows it."""
    return {
        "id": str(case.row.id),
        "council_id": str(case.row.council_id),
        **case.details,
        "state": str(case.state(now)),
        "called_by": str(case.row.author),
        "called_at": case.row.created_at.isoformat(),
        "timeline": case.timeline and case.timeline.describe(),
    }


def seat_elected(session: Session, case: Case, *, now: datetime) -> dict[str, Any]:
    """Seat those whom the binding tally elected, as the affiliation cap allows.

    An election to all seats replaces whoever sits; one to vacant seats fills those that
    still are.
    """
    council, everybody = _called(session, case, now=now)
    contest = contests.load(session, case.row.id)
    people = contests.people(session, contest.election.options)
    sitting = keeping.members(session, council.id, at=now)
    kept = [] if everybody else sitting
    seating = capping.seat(
        contest,
        free=council.seats - len(kept),
        sitting=[seat.row.affiliation for seat in kept],
        out={
            *(set(contest.election.options) - people.keys()),
            *(seat.user.username for seat in kept),
        },
    )
    until = now + timedelta(days=council.term_days)
    if not everybody:
        until = keeping.term_end(session, council, now=now)
    elif seating.elected:
        for seat in sitting:
            keeping.end(session, seat.row, "replaced", actor=None, now=now)
    seats = [
        keeping.take(
            session,
            council,
            people[name],
            affiliation=contest.affiliations.get(name),
            until=until,
            elected_by=case.row.id,
            now=now,
        )
        for name in seating.elected
    ]
    return _told(seats, seating, people)


def _called(session: Session, case: Case, *, now: datetime) -> tuple[Council, bool]:
    """Return the council, locked, and whether all its seats are elected."""
    if case.row.council_id is None:
        raise BadProposal("This election is of no council.")
    council = keeping.lock(session, case.row.council_id, now=now)
    return council, deeds.read_seats(case.details).everybody


def _told(
    seats: list[Seat], seating: Seating, people: Mapping[str, User]
) -> dict[str, Any]:
    return {
        "seated": [
            {"seat_id": str(seat.row.id), "username": seat.user.username}
            for seat in seats
        ],
        "withdrawn": [
            {"user_id": str(people[name].id), "username": name}
            for name in seating.withdrawn
        ],
        "counts": seating.counts,
    }
