"""Two at once, each in a transaction of its own: seats are never exceeded."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa

from domain.councils import elections, keeping, leaving, recalls
from domain.councils.record import Recall
from domain.errors import DomainError
from domain.governance.cases import find, happen
from domain.governance.lifecycle import Event
from domain.governance.record import Proposal
from tests.elections import (
    ELECTED,
    call,
    counted,
    fill,
    held,
    make_council,
    make_people,
    nominate,
    seat_of,
    sitting,
)
from tests.factories import make_user

DAY = timedelta(days=1)
LATER = ELECTED + 15 * DAY
REASON = "Has not been seen at a meeting since the spring."
BALLOTS = ["ad"] * 9 + ["b"] * 8 + ["c"] * 7 + ["d"] * 3 + ["e"]
TIMES = 5


@pytest.fixture
def race(sessions):
    """Do deeds at the same moment; return what each came to."""

    def at_once(*deeds):
        start = Barrier(len(deeds))

        def do(deed):
            start.wait()
            try:
                with sessions.begin() as session:
                    return deed(session)
            except DomainError as refusal:
                return refusal.code

        with ThreadPoolExecutor(len(deeds)) as pool:
            return list(pool.map(do, deeds))

    return at_once


def elected(sessions):
    """Return a council of three, and the people of its election."""
    with sessions.begin() as session:
        people = make_people(session, "abcde")
        council = make_council(session, seats=3)
        held(session, council, people, BALLOTS)
    return council, people


@pytest.mark.parametrize("_time", range(TIMES))
def test_of_many_who_second_at_once_one_does(sessions, race, _time):
    council, _ = elected(sessions)
    with sessions.begin() as session:
        caller, *others = [make_user(session).id for _ in range(5)]
        recall = recalls.call(
            session,
            council.id,
            caller=caller,
            member_id=None,
            reason=REASON,
            now=ELECTED,
        )

    def second(by):
        def deed(session):
            recalls.second(session, council.id, recall.id, by=by, now=ELECTED)
            return "seconded"

        return deed

    told = race(*map(second, others))

    assert sorted(told) == ["recall_seconded"] * 3 + ["seconded"]
    with sessions() as session:
        votes = sa.select(sa.func.count()).where(
            Proposal.council_id == council.id, Proposal.type == "recall"
        )
        assert session.scalar(votes) == 1


@pytest.mark.parametrize("_time", range(TIMES))
def test_who_calls_the_same_recall_at_once_calls_one(sessions, race, _time):
    council, people = elected(sessions)

    def call_it(session):
        recalls.call(
            session,
            council.id,
            caller=people["e"].id,
            member_id=None,
            reason=REASON,
            now=ELECTED,
        )
        return "called"

    assert sorted(race(*[call_it] * 4)) == ["called"] + ["recall_open"] * 3


@pytest.mark.parametrize("_time", range(TIMES))
def test_who_resigns_while_recalled_leaves_once_and_one_follows(sessions, race, _time):
    council, people = elected(sessions)
    with sessions.begin() as session:
        seat = seat_of(session, council, people["a"])
        recall = recalls.call(
            session,
            council.id,
            caller=people["b"].id,
            member_id=seat.id,
            reason=REASON,
            now=ELECTED,
        )
        recalls.second(session, council.id, recall.id, by=people["c"].id, now=ELECTED)
        passed = {"outcome": "passed"}
        happen(session, recall.proposal_id, Event.TALLIED, details=passed, now=LATER)
        proposal_id = session.get_one(Recall, recall.id).proposal_id

    def carry_out(session):
        case = find(session, proposal_id, lock=True)
        return len(recalls.carry_out(session, case, now=LATER)["ended"])

    def resign(session):
        leaving.resign(session, council.id, seat.id, actor=people["a"].id, now=LATER)
        return "resigned"

    told = race(carry_out, resign)

    assert told in ([1, "seat_ended"], [0, "resigned"])
    with sessions.begin() as session:
        fill(session, seat, now=LATER)
    with sessions() as session:
        assert sitting(session, council, people, LATER) == "bcd"


@pytest.mark.parametrize("_time", range(TIMES))
@pytest.mark.parametrize("everybody", [True, False])
def test_two_elections_that_end_at_once_fill_no_more_seats_than_there_are(
    sessions, race, everybody, _time
):
    council, _ = elected(sessions)
    with sessions.begin() as session:
        # One of three stays where vacancies are elected: else it would be everybody.
        for seat in keeping.members(session, council.id, at=ELECTED)[1:]:
            if not everybody:
                keeping.end(session, seat.row, "recalled", actor=None, now=ELECTED)
        parts = [make_people(session, "fghi"), make_people(session, "klmn")]
        cases = [call(session, council, everybody=everybody, now=ELECTED) for _ in "ab"]
        for case, part in zip(cases, parts, strict=True):
            nominate(session, case, part, {}, now=ELECTED)
            ballots = [*part] * 3
            counted(session, case, council, part, ballots, now=LATER)

    def seat(case_id):
        def deed(session):
            case = find(session, case_id, lock=True)
            return len(elections.seat_elected(session, case, now=LATER)["seated"])

        return deed

    told = race(*(seat(case.row.id) for case in cases))

    assert sorted(told) == ([3, 3] if everybody else [0, 2])
    with sessions() as session:
        assert len(keeping.members(session, council.id, at=LATER)) == 3
