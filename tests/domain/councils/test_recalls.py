"""Recalls: two people ask for one, all vote, and a seat ends or all of them."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain.audit_events import page as audit
from domain.councils import elections, keeping, recalls
from domain.councils.keeping import NoSuchSeat, SeatEnded
from domain.councils.recalls import (
    NobodySits,
    NoSuchRecall,
    OwnRecall,
    RecallLapsed,
    RecallOpen,
    RecallSeconded,
)
from domain.governance import proposals
from domain.governance.cases import find, happen
from domain.governance.lifecycle import Event
from domain.governance.record import BadProposal
from domain.governance.texts import Text
from tests.elections import (
    ELECTED,
    held,
    make_council,
    make_member,
    make_people,
    resign,
    seat_of,
    sitting,
)
from tests.elections import (
    call as call_election,
)
from tests.factories import make_user

DAY = timedelta(days=1)
REASON = "Has not been seen at a meeting since the spring."
BALLOTS = ["ad"] * 9 + ["b"] * 8 + ["c"] * 7 + ["d"] * 3 + ["e"]


@pytest.fixture
def people(session):
    return make_people(session, "abcde")


@pytest.fixture
def council(session, people):
    council = make_council(session, seats=3)
    held(session, council, people, BALLOTS)
    return council


def call(session, council, seat=None, *, caller=None, now=ELECTED):
    return recalls.call(
        session,
        council.id,
        caller=caller or make_user(session).id,
        member_id=seat and seat.id,
        reason=REASON,
        now=now,
    )


def second(session, council, recall, *, now=ELECTED):
    by = make_user(session).id
    return recalls.second(session, council.id, recall.id, by=by, now=now)


def voted(session, recall, *, outcome="passed", now):
    """Store what a tally leaves of the vote on a recall."""
    told = {"outcome": outcome}
    happen(session, recall.proposal_id, Event.TALLIED, details=told, now=now)
    return find(session, recall.proposal_id)


def passed(session, council, seat=None):
    recall = second(session, council, call(session, council, seat))
    later = ELECTED + 15 * DAY
    case = voted(session, recall, now=later)
    return recalls.carry_out(session, case, now=later), later


def test_a_recall_that_is_seconded_is_voted_on_in_secret_by_two_thirds(
    session, council, people
):
    seat = seat_of(session, council, people["a"])
    recall = second(session, council, call(session, council, seat))
    case = find(session, recall.proposal_id)

    assert case.state(ELECTED) == "voting"
    assert case.parameters.secret
    assert case.timeline.closes == ELECTED + 14 * DAY
    assert str(case.parameters.requirements[0].share) == "2/3"
    assert people["a"].username in case.text.title
    assert case.text.details == {
        "recall_id": str(recall.id),
        "member_id": str(seat.id),
    }
    assert case.row.author == recall.called_by


def test_a_recall_lapses_that_nobody_seconds_within_a_week(session, council):
    recall = call(session, council)
    end = ELECTED + 7 * DAY

    assert recalls.state(recall, end - timedelta(microseconds=1)) == "called"
    assert recalls.state(recall, end) == "lapsed"
    with pytest.raises(RecallLapsed):
        second(session, council, recall, now=end)
    assert call(session, council, now=end).id != recall.id


def test_another_than_the_caller_seconds_once(session, council):
    recall = call(session, council)
    with pytest.raises(OwnRecall):
        recalls.second(session, council.id, recall.id, by=recall.called_by, now=ELECTED)
    second(session, council, recall)

    with pytest.raises(RecallSeconded):
        second(session, council, recall)


def test_one_recall_of_the_same_is_open_at_a_time(session, council, people):
    seat, other = (seat_of(session, council, people[name]) for name in "ab")
    recall = call(session, council, seat)
    with pytest.raises(RecallOpen):
        call(session, council, seat)
    assert call(session, council, other)
    assert call(session, council)
    second(session, council, recall)
    with pytest.raises(RecallOpen):
        call(session, council, seat, now=ELECTED + 8 * DAY)
    voted(session, recall, outcome="failed", now=ELECTED + 15 * DAY)

    assert call(session, council, seat, now=ELECTED + 15 * DAY)


def test_only_who_sits_is_recalled(session, council, people):
    seat = seat_of(session, council, people["a"])
    elsewhere = make_member(session, make_council(session), now=ELECTED)
    recall = call(session, council, seat)
    resign(session, seat, now=ELECTED + DAY)

    with pytest.raises(SeatEnded):
        call(session, council, seat, now=ELECTED + DAY)
    with pytest.raises(SeatEnded):
        second(session, council, recall, now=ELECTED + DAY)
    with pytest.raises(NoSuchSeat):
        call(session, council, elsewhere)
    with pytest.raises(NobodySits):
        call(session, make_council(session))
    with pytest.raises(NoSuchRecall):
        recalls.find(session, make_council(session).id, recall.id)


def test_who_is_recalled_is_followed_by_the_next(session, council, people):
    seat = seat_of(session, council, people["a"])
    told, later = passed(session, council, seat)
    next_ = seat_of(session, council, people["d"], later)

    assert sitting(session, council, people, later) == "bcd"
    assert (seat.ended_because, seat.ended_at) == ("recalled", later)
    assert told == {
        "ended": [str(seat.id)],
        "seated": str(next_.id),
        "election": None,
    }


def test_who_resigned_before_is_not_recalled(session, council, people):
    seat = seat_of(session, council, people["a"])
    recall = second(session, council, call(session, council, seat))
    resign(session, seat, now=ELECTED + DAY)
    later = ELECTED + 15 * DAY
    case = voted(session, recall, now=later)
    told = recalls.carry_out(session, case, now=later)

    assert told == {"ended": [], "seated": None, "election": None}
    assert seat.ended_because == "resigned"
    assert sitting(session, council, people, later) == "bcd"


def test_a_council_that_is_recalled_is_elected_anew_at_once(session, council, people):
    told, later = passed(session, council)
    called, _ = elections.page(
        session, council.id, start=None, limit=5, now=later
    ).items

    assert sitting(session, council, people, later) == ""
    assert len(told["ended"]) == 3
    assert told["election"] == str(called.row.id)
    assert called.text.details == {"seats": 3, "all": True}
    assert called.state(later) == "discussion"
    (event,) = audit(session, subject=f"proposal:{called.row.id}", limit=5).items
    assert (event.AuditEvent.action, event.AuditEvent.actor) == (
        "election.called",
        None,
    )


def test_who_was_seated_after_a_recall_was_seconded_is_not_recalled(
    session, council, people
):
    recall = second(session, council, call(session, council))
    seat = seat_of(session, council, people["a"])
    resign(session, seat, now=ELECTED + DAY)
    later = ELECTED + 15 * DAY
    told = recalls.carry_out(session, voted(session, recall, now=later), now=later)
    called = find(session, UUID(told["election"]))

    assert sitting(session, council, people, later) == "d"
    assert len(told["ended"]) == 2
    assert called.text.details == {"seats": 2, "all": False}


def test_where_all_were_seated_after_it_a_recall_changes_nothing(session):
    council = make_council(session, seats=1)
    first = make_member(session, council, now=ELECTED - DAY)
    recall = second(session, council, call(session, council))
    keeping.end(session, first, "resigned", actor=None, now=ELECTED + DAY)
    make_member(session, council, now=ELECTED + 2 * DAY)
    later = ELECTED + 15 * DAY
    told = recalls.carry_out(session, voted(session, recall, now=later), now=later)

    assert told == {"ended": [], "seated": None, "election": None}


def test_an_election_to_all_seats_that_runs_is_enough(session, council):
    recall = second(session, council, call(session, council))
    later = ELECTED + 15 * DAY
    running = call_election(session, council, everybody=True, now=later - DAY)
    told = recalls.carry_out(session, voted(session, recall, now=later), now=later)
    found = elections.running(session, council.id, now=later)

    assert len(told["ended"]) == 3
    assert told["election"] is None
    assert [case.row.id for case in found] == [running.row.id]


def test_a_proposal_that_no_recall_is_behind_takes_no_seat(session, council):
    author = make_user(session)
    text = Text(title="Recall of everybody", description="x" * 30, details={})
    case = proposals.create(
        session,
        author=author.id,
        type_name="recall",
        text=text,
        council_id=council.id,
        by_rule=True,
        now=ELECTED,
    )

    with pytest.raises(BadProposal):
        recalls.carry_out(session, case, now=ELECTED)
