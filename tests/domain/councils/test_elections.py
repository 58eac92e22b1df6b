"""Elections: who is seated, for how long, and whom they replace."""

from datetime import timedelta

import pytest

from domain import roles, users
from domain.councils import elections, keeping, nominations
from domain.councils.elections import ElectionOpen, NoVacancy
from domain.councils.nominations import (
    AlreadyInCouncil,
    NoSuchElection,
    NoSuchNomination,
    TooManyNominees,
)
from domain.governance import proposals
from domain.governance.proposals import MayNotPropose
from domain.governance.record import WrongState
from domain.governance.texts import Text
from domain.ids import uuid7
from tests.elections import (
    ELECTED,
    call,
    counted,
    held,
    letters,
    make_council,
    make_member,
    make_people,
    nominate,
    sitting,
)
from tests.factories import NOW, make_user

DAY = timedelta(days=1)
BALLOTS = ["ad"] * 9 + ["b"] * 8 + ["c"] * 7 + ["d"] * 3 + ["e"]


def stand(session, case, user, *, now=NOW, **fields):
    said = {"statement": "I would.", "affiliation": None, **fields}
    return nominations.nominate(session, case.row.id, person=user.id, now=now, **said)


def test_operators_call_elections_and_members_do_not(session):
    council, member, operator = (
        make_council(session),
        make_user(session),
        make_user(session),
    )
    roles.grant(session, operator.id, "operator", by=None, ends_at=None, now=NOW)

    with pytest.raises(MayNotPropose):
        elections.call(session, council.id, caller=member.id, now=NOW)
    case = elections.call(session, council.id, caller=operator.id, now=NOW)

    assert elections.describe(case, NOW) == {
        "id": str(case.row.id),
        "council_id": str(council.id),
        "seats": 3,
        "all": True,
        "state": "discussion",
        "called_by": str(operator.id),
        "called_at": NOW.isoformat(),
        "timeline": case.timeline.describe(),
    }


def test_there_is_one_election_of_a_council_at_a_time(session):
    council, operator = make_council(session), make_user(session)
    roles.grant(session, operator.id, "operator", by=None, ends_at=None, now=NOW)
    case = call(session, council)
    with pytest.raises(ElectionOpen):
        elections.call(session, council.id, caller=operator.id, now=NOW)
    proposals.cancel(
        session, case.row.id, actor=operator.id, reason="too early", now=NOW
    )

    assert elections.call(session, council.id, caller=operator.id, now=NOW)


def test_without_a_vacancy_only_all_seats_are_elected(session):
    council = make_council(session, seats=1)
    make_member(session, council)

    with pytest.raises(NoVacancy):
        call(session, council)
    assert call(session, council, everybody=True).text.details == {
        "seats": 1,
        "all": True,
    }


def test_who_is_elected_sits_for_a_term_from_then_on(session):
    council, people = make_council(session, seats=3), make_people(session, "abcde")
    told = held(session, council, people, BALLOTS, {"b": "Canal Street"})
    seats = keeping.members(session, council.id, at=ELECTED)

    assert letters(people, told["seated"]) == "abc"
    assert {seat.row.until for seat in seats} == {ELECTED + 365 * DAY}
    assert {seat.row.role for seat in seats} == {"member"}
    assert sorted(str(seat.row.affiliation) for seat in seats) == [
        "Canal Street",
        "None",
        "None",
    ]


def test_an_election_to_all_seats_replaces_who_sits(session):
    council, people = make_council(session, seats=2), make_people(session, "abcde")
    old = make_member(session, council)
    again = make_member(session, council, people["a"])
    held(session, council, people, BALLOTS, everybody=True)

    assert sitting(session, council, people) == "ab"
    assert (old.ended_because, old.ended_at) == ("replaced", ELECTED)
    assert again.ended_because == "replaced"


def test_an_election_to_vacant_seats_leaves_the_others_for_the_same_term(session):
    council, people = make_council(session, seats=3), make_people(session, "bcde")
    stays = make_member(session, council)
    told = held(session, council, people, ["b"] * 4 + ["c"] * 3 + ["d"])
    seats = keeping.members(session, council.id, at=ELECTED)

    assert letters(people, told["seated"]) == "bc"
    assert [seat.row.until for seat in seats] == [stays.until] * 3


def test_who_sits_counts_to_the_cap_when_vacancies_are_filled(session):
    council = make_council(session, seats=2, affiliation_cap=1)
    people = make_people(session, "bcd")
    make_member(session, council, affiliation="Canal Street")
    told = held(
        session,
        council,
        people,
        ["b"] * 4 + ["c"] * 3 + ["d"],
        {"b": "canal  street"},
    )

    assert letters(people, told["seated"]) == "c"
    assert letters(people, told["withdrawn"]) == "b"
    assert len(told["counts"]) == 2


def test_who_has_left_the_community_is_not_seated(session):
    council, people = make_council(session, seats=1), make_people(session, "ab")
    case = call(session, council)
    nominate(session, case, people, {})
    case = counted(session, case, council, people, ["ab"] * 5 + ["b"])
    users.delete(session, people["a"], now=ELECTED)
    told = elections.seat_elected(session, case, now=ELECTED)

    assert letters(people, told["seated"]) == "b"


def test_no_more_are_seated_than_seats_are_free_by_then(session):
    """Two elections were counted, as when a recall called one beside another."""
    council, people = make_council(session, seats=2), make_people(session, "abcd")
    few = {name: people[name] for name in "cd"}
    one, other = call(session, council), call(session, council)
    nominate(session, one, people, {})
    nominate(session, other, few, {})
    one = counted(session, one, council, people, ["a"] * 3 + ["b"] * 2)
    other = counted(session, other, council, few, ["c"] * 3 + ["d"] * 2)
    elections.seat_elected(session, one, now=ELECTED)
    elections.seat_elected(session, other, now=ELECTED + DAY)

    assert sitting(session, council, people, ELECTED + DAY) == "cd"
    assert len(keeping.members(session, council.id, at=ELECTED)) == 2


def test_who_was_elected_to_a_vacancy_that_is_gone_waits_for_the_next(session):
    council, people = make_council(session, seats=3), make_people(session, "abcd")
    make_member(session, council)
    cases = [call(session, council) for _ in "xy"]
    for case, names in zip(cases, ("ab", "cd"), strict=True):
        part = {name: people[name] for name in names}
        nominate(session, case, part, {})
        counted(session, case, council, part, [*names] * 2)
    told = [elections.seat_elected(session, case, now=ELECTED) for case in cases]

    assert [len(one["seated"]) for one in told] == [2, 0]
    assert len(keeping.members(session, council.id, at=ELECTED)) == 3


# Nominations


def test_who_stands_says_why_and_may_say_it_anew(session):
    case, user = call(session, make_council(session)), make_user(session)
    stand(session, case, user)
    stand(session, case, user, statement="I really would.", affiliation="Canal Street")

    assert nominations.nominees(session, case.row.id) == [
        {
            "election_id": str(case.row.id),
            "user_id": str(user.id),
            "username": user.username,
            "affiliation": "Canal Street",
            "statement": "I really would.",
            "at": NOW.isoformat(),
        }
    ]


def test_who_withdrew_stands_no_more_until_they_stand_again(session):
    case, user = call(session, make_council(session)), make_user(session)
    stand(session, case, user)
    nominations.withdraw(session, case.row.id, person=user.id, now=NOW)
    assert nominations.nominees(session, case.row.id) == []
    with pytest.raises(NoSuchNomination):
        nominations.withdraw(session, case.row.id, person=user.id, now=NOW)
    stand(session, case, user)

    assert len(nominations.nominees(session, case.row.id)) == 1


def test_nominations_close_when_the_election_is_frozen(session):
    case, user, late = (
        call(session, make_council(session)),
        make_user(session),
        make_user(session),
    )
    end = case.timeline.frozen
    stand(session, case, user, now=end - timedelta(microseconds=1))

    with pytest.raises(WrongState):
        stand(session, case, late, now=end)
    with pytest.raises(WrongState):
        nominations.withdraw(session, case.row.id, person=user.id, now=end)


def test_who_sits_does_not_stand_for_another_seat_of_the_council(session):
    council, user = make_council(session, seats=2), make_user(session)
    make_member(session, council, user)

    with pytest.raises(AlreadyInCouncil):
        stand(session, call(session, council), user)
    assert stand(session, call(session, council, everybody=True), user)


def test_a_ballot_has_room_for_so_many(session, monkeypatch):
    monkeypatch.setattr(nominations, "NOMINEES_MAX", 2)
    case, users_ = call(session, make_council(session)), make_people(session, "abc")
    for name in "ab":
        stand(session, case, users_[name])

    with pytest.raises(TooManyNominees):
        stand(session, case, users_["c"])
    assert stand(session, case, users_["a"], statement="Still.")


def test_one_stands_in_elections_alone(session):
    author = make_user(session)
    text = Text(title="Tulips by the canal", description="x" * 30, details={})
    other = proposals.create(
        session, author=author.id, type_name="simple_majority", text=text, now=NOW
    )

    for election_id in (other.row.id, uuid7()):
        with pytest.raises(NoSuchElection):
            nominations.find_election(session, election_id)
