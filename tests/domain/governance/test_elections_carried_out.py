"""Elections and recalls, carried out as the deeds that they are, and explained."""

from domain.councils import keeping
from domain.governance import executing
from domain.governance.cases import find
from domain.governance.explaining import _executed
from domain.governance.lifecycle import State
from tests.elections import (
    ELECTED,
    call,
    counted,
    letters,
    make_council,
    make_people,
    nominate,
)


def carried_out(session, council, people, ballots, affiliations):
    case = call(session, council)
    nominate(session, case, people, affiliations)
    case = counted(session, case, council, people, ballots, affiliations=affiliations)
    done = executing.execute(session, case.row.id, lane=0, now=ELECTED)
    return done, find(session, case.row.id)


def test_an_election_is_carried_out_once_and_seats_whom_the_cap_allows(session):
    council = make_council(session, seats=2, affiliation_cap=1)
    people = make_people(session, "abc")
    ballots = ["abc"] * 5 + ["bac"] * 4 + ["c"] * 2
    done, case = carried_out(
        session, council, people, ballots, dict.fromkeys("ab", "Canal Street")
    )
    again = executing.execute(session, case.row.id, lane=0, now=ELECTED)

    assert done["executed"]
    assert again is None
    assert case.state(ELECTED) is State.EXECUTED
    assert letters(people, done["seated"]) == "ac"
    assert len(keeping.members(session, council.id, at=ELECTED)) == 2


def test_it_is_said_who_is_left_out_and_why(session):
    council = make_council(session, seats=2, affiliation_cap=1)
    people = make_people(session, "abc")
    ballots = ["abc"] * 5 + ["bac"] * 4 + ["c"] * 2
    _, case = carried_out(
        session, council, people, ballots, dict.fromkeys("ab", "Canal Street")
    )
    a, b, c = (people[name].username for name in "abc")

    _, seated, left_out = _executed(case)
    assert seated == f"Seated: {a} and {c}."
    assert left_out == f"Left out, for too many of one affiliation would sit: {b}."
