"""Councils, and who sits in them at a time."""

from datetime import timedelta

import pytest

from domain import roles, users
from domain.audit_events import page as audit
from domain.councils import keeping
from domain.councils.keeping import (
    CouncilNameTaken,
    NoSuchCouncil,
    NoSuchSeat,
    NotInCouncil,
    SeatEnded,
)
from domain.ids import uuid7
from tests.elections import make_council, make_member
from tests.factories import NOW, make_owner, make_user

DAY = timedelta(days=1)


def ids(seats):
    return [seat.row.id for seat in seats]


def test_a_name_is_taken_in_any_case(session):
    name = make_owner("Stewards")
    make_council(session, name=name)

    with pytest.raises(CouncilNameTaken):
        make_council(session, name=name.upper())


def test_a_seat_is_held_from_its_first_moment_up_to_its_last(session):
    council = make_council(session, term_days=10)
    seat = make_member(session, council)
    seen = [
        ids(keeping.members(session, council.id, at=NOW + moved))
        for moved in (-timedelta(microseconds=1), 0 * DAY, 9.9 * DAY, 10 * DAY)
    ]

    assert seen == [[], [seat.id], [seat.id], []]


def test_who_sat_then_is_seen_when_their_seat_has_ended_since(session):
    council = make_council(session)
    seat = make_member(session, council)
    keeping.end(session, seat, "resigned", actor=seat.user_id, now=NOW + DAY)

    assert ids(keeping.members(session, council.id, at=NOW)) == [seat.id]
    assert ids(keeping.members(session, council.id, at=NOW + DAY)) == []
    found = keeping.find_seat(session, council.id, seat.id)
    assert (found.holds(NOW), found.holds(NOW + DAY)) == (True, False)


def test_who_leaves_the_community_sits_nowhere(session):
    council = make_council(session)
    seat = make_member(session, council)
    users.delete(session, users.get(session, seat.user_id), now=NOW + DAY)
    before = keeping.members(session, council.id, at=NOW)
    after = keeping.members(session, council.id, at=NOW + DAY)
    keeping.lock(session, council.id, now=NOW + 2 * DAY)

    assert (ids(before), ids(after)) == ([seat.id], [])
    assert (seat.ended_at, seat.ended_because) == (NOW + DAY, "left")


def test_a_seat_whose_term_is_over_can_be_taken_again_by_the_same(session):
    council = make_council(session, term_days=10)
    first = make_member(session, council)
    keeping.lock(session, council.id, now=NOW + 11 * DAY)
    user = users.get(session, first.user_id)
    second = make_member(session, council, user, now=NOW + 11 * DAY)

    assert (first.ended_at, first.ended_because) == (NOW + 10 * DAY, "expired")
    assert ids(keeping.members(session, council.id, at=NOW + 11 * DAY)) == [second.id]


def test_a_page_says_how_many_seats_are_vacant(session):
    council = make_council(session, seats=3)
    make_member(session, council)
    ended = make_member(session, council)
    keeping.end(session, ended, "resigned", actor=None, now=NOW)
    found = keeping.page(session, start=None, limit=1, now=NOW)
    (row,) = found.items

    assert keeping.describe(row.Council, row.occupied)["vacancies"] == 2


def test_members_of_all_councils_are_found_by_role_council_and_standing(session):
    one, other = make_council(session), make_council(session)
    role = make_owner("scribe")
    here = make_member(session, one, role=role)
    make_member(session, one)
    there = make_member(session, other, role=role)
    keeping.end(session, there, "absent", actor=None, now=NOW)

    def found(**filters):
        page = keeping.page_of_members(
            session, role=role, limit=10, start=None, now=NOW, **filters
        )
        return [row.CouncilMember.id for row in page.items]

    assert found() == [there.id, here.id]
    assert found(council_id=one.id) == [here.id]
    assert found(active=True) == [here.id]
    assert found(active=False) == [there.id]


def test_a_role_is_given_by_the_council_and_by_operators(session):
    council = make_council(session)
    seat = make_member(session, council)
    colleague = make_member(session, council)
    stranger, operator = make_user(session), make_user(session)
    roles.grant(session, operator.id, "operator", by=None, ends_at=None, now=NOW)

    def give(role, actor):
        return keeping.change_role(
            session, council.id, seat.id, role, actor=actor, now=NOW
        ).row.role

    with pytest.raises(NotInCouncil):
        give("chair", stranger.id)
    assert give("chair", colleague.user_id) == "chair"
    assert give("secretary", operator.id) == "secretary"


def test_nobody_has_a_role_in_a_seat_that_ended(session):
    council = make_council(session)
    seat = make_member(session, council)
    keeping.end(session, seat, "resigned", actor=None, now=NOW)

    with pytest.raises(SeatEnded):
        keeping.change_role(
            session, council.id, seat.id, "chair", actor=seat.user_id, now=NOW
        )


def test_a_seat_of_another_council_is_not_there(session):
    seat = make_member(session, make_council(session))

    with pytest.raises(NoSuchSeat):
        keeping.find_seat(session, make_council(session).id, seat.id)
    with pytest.raises(NoSuchCouncil):
        keeping.lock(session, uuid7(), now=NOW)


def test_the_end_of_a_seat_is_recorded_with_who_ended_it(session):
    council = make_council(session)
    seat = make_member(session, council)
    keeping.end(session, seat, "resigned", actor=seat.user_id, now=NOW)
    session.flush()
    (row,) = audit(session, subject=f"seat:{seat.id}", limit=5).items
    event = row.AuditEvent.describe()

    assert (event["action"], event["actor"]) == ("seat.ended", str(seat.user_id))
    assert event["details"]["because"] == "resigned"
