"""Seats that end early, and who gets them."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from domain import roles, users
from domain.councils import countback, elections, keeping, leaving
from domain.councils.keeping import NotInCouncil, SeatEnded
from domain.councils.leaving import (
    AlreadyReported,
    NotReported,
    NotYourSeat,
    OwnSeat,
    TimeToAnswer,
)
from domain.governance import proposals, types
from domain.ids import uuid7
from domain.jobs import Job
from tests.elections import (
    ELECTED,
    fill,
    held,
    make_council,
    make_member,
    make_people,
    seat_of,
    sitting,
)
from tests.elections import (
    resign as resign_from,
)
from tests.factories import NOW, make_user

DAY = timedelta(days=1)
BALLOTS = ["ad"] * 9 + ["b"] * 8 + ["c"] * 7 + ["d"] * 3 + ["e"]


@pytest.fixture
def people(session):
    return make_people(session, "abcde")


@pytest.fixture
def council(session, people):
    council = make_council(session, seats=3)
    held(session, council, people, BALLOTS)
    return council


def resign(session, council, user, now):
    seat = seat_of(session, council, user, now)
    resign_from(session, seat, now=now)
    return seat


def test_who_resigns_is_followed_by_whom_the_same_ballots_elect(
    session, council, people
):
    left = resign(session, council, people["a"], ELECTED + DAY)
    next_ = seat_of(session, council, people["d"], ELECTED + DAY)

    assert sitting(session, council, people, ELECTED + DAY) == "bcd"
    assert (left.ended_because, left.ended_at) == ("resigned", ELECTED + DAY)
    assert (next_.until, next_.elected_by) == (left.until, left.elected_by)


def test_a_seat_is_filled_by_a_job_and_once(session, council, people):
    """Ballots may take seconds to count, which nobody waits for who resigns."""
    seat = seat_of(session, council, people["a"])
    now = ELECTED + DAY
    leaving.resign(session, council.id, seat.id, actor=people["a"].id, now=now)
    about = Job.payload["seat_id"].as_string() == str(seat.id)
    (job,) = session.scalars(sa.select(Job).where(about))
    before = sitting(session, council, people, now)
    told = [fill(session, seat, now=now) for _ in range(2)]

    assert (job.kind, job.state, before) == (countback.FILL, "queued", "bc")
    assert sitting(session, council, people, now) == "bcd"
    next_ = seat_of(session, council, people["d"], now)
    assert told == [{"seated": str(next_.id)}, {"seated": None}]


def test_who_does_not_want_the_seat_resigns_and_the_next_has_it(
    session, council, people
):
    resign(session, council, people["a"], ELECTED + DAY)
    resign(session, council, people["d"], ELECTED + DAY)

    assert sitting(session, council, people, ELECTED + DAY) == "bce"


def test_who_has_left_the_community_is_passed_over(session, council, people):
    users.delete(session, people["d"], now=ELECTED + DAY)
    resign(session, council, people["a"], ELECTED + 2 * DAY)

    assert sitting(session, council, people, ELECTED + 2 * DAY) == "bce"


def test_an_election_is_called_when_nobody_is_left(session, council, people):
    for name in "ade":
        resign(session, council, people[name], ELECTED + DAY)
    found = elections.page(
        session, council.id, start=None, limit=5, now=ELECTED + DAY
    ).items
    called, first = found

    assert sitting(session, council, people, ELECTED + DAY) == "bc"
    assert called.text.details == {"seats": 1, "all": False}
    assert called.row.author == first.row.author


def test_no_election_is_called_that_would_outlast_the_term(session, council, people):
    late = ELECTED + 350 * DAY
    for name in "ade":
        resign(session, council, people[name], late)
    found = elections.page(session, council.id, start=None, limit=5, now=late).items

    assert len(found) == 1


def test_who_resigns_is_let_go_where_no_election_can_follow(session, council, people):
    """By the rules of now one is elected at a time, and two would be needed."""
    for name in "de":
        users.delete(session, people[name], now=ELECTED + DAY)
    rules = types.current(session, elections.ELECTION).parameters
    rules = replace(rules, method="irv")
    types.change(session, elections.ELECTION, rules, changed_by=uuid7(), now=ELECTED)
    for name in "ab":
        resign(session, council, people[name], ELECTED + 2 * DAY)
        cancel_elections(session, council, ELECTED + 2 * DAY)

    assert sitting(session, council, people, ELECTED + 2 * DAY) == "c"
    assert elections.running(session, council.id, now=ELECTED + 2 * DAY) == []


def cancel_elections(session, council, now):
    for case in elections.running(session, council.id, now=now):
        said = {"actor": case.row.author, "reason": "no", "now": now}
        proposals.cancel(session, case.row.id, **said)


def test_nobody_resigns_for_another_or_twice(session, council, people):
    seat = seat_of(session, council, people["a"])

    with pytest.raises(NotYourSeat):
        leaving.resign(session, council.id, seat.id, actor=people["b"].id, now=ELECTED)
    resign(session, council, people["a"], ELECTED + DAY)
    with pytest.raises(SeatEnded):
        leaving.resign(
            session, council.id, seat.id, actor=people["a"].id, now=ELECTED + DAY
        )


def test_who_does_not_answer_for_thirty_days_loses_the_seat(session, council, people):
    seat, colleague = seat_of(session, council, people["a"]), people["b"].id
    about = (session, council.id, seat.id)
    told = leaving.report(*about, actor=colleague, now=ELECTED)
    end = ELECTED + 30 * DAY
    with pytest.raises(TimeToAnswer):
        leaving.declare_vacant(
            *about, actor=colleague, now=end - timedelta(microseconds=1)
        )
    leaving.declare_vacant(*about, actor=colleague, now=end)
    fill(session, seat, now=end)

    assert told["answer_by"] == end.isoformat()
    assert (seat.ended_because, seat.ended_at) == ("absent", end)
    assert sitting(session, council, people, end) == "bcd"


def test_who_answers_keeps_the_seat_even_late(session, council, people):
    seat, colleague = seat_of(session, council, people["a"]), people["b"].id
    about = (session, council.id, seat.id)
    leaving.report(*about, actor=colleague, now=ELECTED)
    late = ELECTED + 31 * DAY
    told = leaving.answer(*about, actor=people["a"].id, now=late)

    assert told["answered_at"] == late.isoformat()
    with pytest.raises(NotReported):
        leaving.declare_vacant(*about, actor=colleague, now=late)
    with pytest.raises(NotReported):
        leaving.answer(*about, actor=people["a"].id, now=late)
    assert leaving.report(*about, actor=colleague, now=late)["answered_at"] is None


def test_absence_is_told_by_others_in_the_council_once(session, council, people):
    seat = seat_of(session, council, people["a"])
    about = (session, council.id, seat.id)

    with pytest.raises(NotInCouncil):
        leaving.report(*about, actor=people["e"].id, now=ELECTED)
    with pytest.raises(OwnSeat):
        leaving.report(*about, actor=people["a"].id, now=ELECTED)
    leaving.report(*about, actor=people["b"].id, now=ELECTED)
    with pytest.raises(AlreadyReported):
        leaving.report(*about, actor=people["c"].id, now=ELECTED)
    with pytest.raises(NotYourSeat):
        leaving.answer(*about, actor=people["b"].id, now=ELECTED)


def test_a_vacancy_is_declared_by_the_council_or_an_operator(session, council, people):
    seat, operator = seat_of(session, council, people["a"]), make_user(session)
    roles.grant(session, operator.id, "operator", by=None, ends_at=None, now=NOW)
    about = (session, council.id, seat.id)
    leaving.report(*about, actor=people["b"].id, now=ELECTED)
    end = ELECTED + 30 * DAY

    with pytest.raises(NotInCouncil):
        leaving.declare_vacant(*about, actor=people["e"].id, now=end)
    leaving.declare_vacant(*about, actor=operator.id, now=end)
    assert seat.ended_because == "absent"


def test_a_seat_that_no_election_gave_stays_vacant(session):
    council = make_council(session)
    seat = make_member(session, council)
    leaving.resign(session, council.id, seat.id, actor=seat.user_id, now=NOW + DAY)

    assert keeping.members(session, council.id, at=NOW + DAY) == []
