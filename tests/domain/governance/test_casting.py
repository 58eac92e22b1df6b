"""Casting: who may, when, how often, and what becomes of it."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from domain import audit_events
from domain.audit_events import Action
from domain.governance import cases, conflicts, delegations
from domain.governance.lifecycle import Event, State
from domain.governance.voting_record import OpenBallot, Participation
from domain.ids import uuid7
from tests.domain.governance.votes import (
    CLOSES,
    DAY,
    HOUR,
    VOTING,
    ballot,
    find,
    make_council,
    make_people,
    make_vote,
    vote,
)
from tests.factories import NOW, make_user

TICK = timedelta(microseconds=1)


@pytest.fixture
def people(session):
    return make_people(session, 5)


def effective(session, proposal_id):
    """Return each voter's ballot of the highest sequence."""
    rows = session.scalars(
        sa.select(OpenBallot)
        .where(OpenBallot.proposal_id == proposal_id)
        .order_by(OpenBallot.sequence)
    )
    return {row.voter_id: row.ballot for row in rows}


# What is taken


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        *(("YES", "yes"), ("For", "yes"), ("no", "no"), ("AGAINST", "no")),
        ("Abstain", "abstain"),
    ],
)
def test_yes_and_for_are_the_same_word_in_any_case(session, people, said, stored):
    proposal_id = make_vote(session, people)

    vote(session, ballot(proposal_id, people[0], said))

    assert effective(session, proposal_id) == {people[0]: stored}


def test_a_ballot_is_kept_with_what_its_voter_said_of_it(session, people):
    proposal_id = make_vote(session, people)
    claim = ballot(proposal_id, people[0], rationale="It is time.")

    (told,) = vote(session, claim)
    (row,) = session.scalars(
        sa.select(OpenBallot).where(OpenBallot.proposal_id == proposal_id)
    )

    assert told == {
        "proposal_id": str(proposal_id),
        "definition_sha256": find(session, proposal_id).freeze.sha256,
        "sequence": 1,
        "weight": 1,
    }
    assert (row.rationale, row.job_id, row.cast_at) == (
        "It is time.",
        claim.id,
        claim.submitted_at,
    )


def test_of_several_ballots_of_a_voter_the_last_counts(session, people):
    proposal_id = make_vote(session, people)
    one, other, *_ = people

    first = vote(
        session,
        ballot(proposal_id, one, "yes"),
        ballot(proposal_id, other, "no"),
        ballot(proposal_id, one, "no"),
    )
    later = vote(session, ballot(proposal_id, one, "abstain"))

    assert [told["sequence"] for told in first + later] == [1, 1, 2, 3]
    assert effective(session, proposal_id) == {one: "abstain", other: "no"}
    assert find(session, proposal_id).row.turnout == 2


def test_where_ballots_stay_as_cast_the_first_counts(session, people):
    proposal_id = make_vote(session, people, replaceable=False)

    told = vote(session, *[ballot(proposal_id, people[0], w) for w in ("yes", "no")])
    again = vote(session, ballot(proposal_id, people[0], "no"))

    assert (told[1], again) == ("already_voted", ["already_voted"])
    assert effective(session, proposal_id) == {people[0]: "yes"}


def test_a_batch_has_ballots_of_several_votes(session, people):
    first, second = (make_vote(session, people) for _ in range(2))
    claims = [ballot(one, p) for p in people for one in (first, second)]

    vote(session, *claims)

    assert effective(session, first) == dict.fromkeys(people, "yes")
    assert effective(session, second) == dict.fromkeys(people, "yes")


@pytest.mark.parametrize(
    ("method", "choice"),
    [
        *(("single-choice", "ada"), ("single-choice", None), ("approval", ["ada"])),
        *(("irv", ["ben", "ada"]), ("score", {"ada": 5}), ("approval", [])),
    ],
)
def test_every_method_takes_its_own_ballots(session, people, method, choice):
    options = ("ada", "ben", "cat")
    proposal_id = make_vote(session, people, method=method, options=options)

    (told,) = vote(session, ballot(proposal_id, people[0], choice))

    assert told["sequence"] == 1
    # What is stored is read again when it is counted.
    assert vote(
        session,
        ballot(proposal_id, people[1], effective(session, proposal_id)[people[0]]),
    ) == [told]


# What is not


def test_who_is_no_elector_does_not_vote(session, people):
    proposal_id = make_vote(session, people)
    stranger = make_user(session).id

    assert vote(session, ballot(proposal_id, stranger)) == ["not_an_elector"]
    assert effective(session, proposal_id) == {}


def test_nobody_votes_on_what_there_is_not(session, people):
    assert vote(session, ballot(uuid7(), people[0])) == ["no_such_proposal"]


@pytest.mark.parametrize("choice", ["maybe", None, 1, ["yes"], {"yes": 1}])
def test_what_the_method_cannot_read_is_refused_and_leaves_nothing(
    session, people, choice
):
    proposal_id = make_vote(session, people)

    assert vote(session, ballot(proposal_id, people[0], choice)) == ["bad_ballot"]
    assert session.get(Participation, (proposal_id, people[0])) is None


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (VOTING - TICK, "voting_not_open"),
        (VOTING, "taken"),
        (CLOSES - TICK, "taken"),
        (CLOSES, "voting_closed"),
    ],
)
def test_a_ballot_counts_by_when_it_was_accepted(session, people, at, expected):
    """Whenever it is applied: here an hour after the close."""
    proposal_id = make_vote(session, people)
    claim = ballot(proposal_id, people[0], at=at)

    (told,) = vote(session, claim, now=CLOSES + HOUR)

    assert (told if isinstance(told, str) else "taken") == expected


@pytest.mark.parametrize("kind", [Event.CANCELLED, Event.TALLIED])
def test_what_is_cancelled_or_counted_takes_no_ballot(session, people, kind):
    proposal_id = make_vote(session, people)
    vote(session, ballot(proposal_id, people[0]))
    cases.happen(
        session, proposal_id, kind, now=VOTING + HOUR, details={"outcome": "passed"}
    )

    assert vote(session, ballot(proposal_id, people[1])) == ["voting_closed"]


def test_where_nobody_stands_there_is_nothing_to_choose(session, people):
    said = {"deed": "seats", "details": {"seats": 1, "all": True}}
    proposal_id = make_vote(session, people, method="scottish-stv", **said)

    assert vote(session, ballot(proposal_id, people[0], [])) == ["bad_ballot"]


def test_a_ballot_that_was_not_sealed_is_none_of_a_secret_vote(session, people):
    proposal_id = make_vote(session, people, secret=True, replaceable=False)

    assert vote(session, ballot(proposal_id, people[0])) == ["bad_ballot"]


# Conflicts of interest


def declare(session, proposal_id, voter, *, now=VOTING):
    return conflicts.declare(
        session, proposal_id, voter=voter, reason="My own shed.", now=now
    )


def test_who_has_an_interest_of_their_own_may_but_abstain(session, people):
    proposal_id = make_vote(session, people)
    declare(session, proposal_id, people[0])

    told = vote(
        session, *[ballot(proposal_id, people[0], word) for word in ("yes", "abstain")]
    )

    assert told[0] == "conflict_of_interest"
    assert effective(session, proposal_id) == {people[0]: "abstain"}


def test_an_interest_is_declared_before_the_close_and_once(session, people):
    proposal_id = make_vote(session, people)
    early = declare(session, proposal_id, people[0], now=VOTING - HOUR)

    assert declare(session, proposal_id, people[0]) is early
    with pytest.raises(cases.WrongState):
        declare(session, proposal_id, people[1], now=CLOSES)


def test_who_took_sides_abstains_before_declaring_an_interest(session, people):
    proposal_id = make_vote(session, people)
    vote(session, ballot(proposal_id, people[0]))

    with pytest.raises(conflicts.AlreadyVoted):
        declare(session, proposal_id, people[0])
    vote(session, ballot(proposal_id, people[0], "abstain"))

    assert declare(session, proposal_id, people[0]).voter_id == people[0]


def test_who_has_no_vote_has_no_interest_to_declare(session, people):
    proposal_id = make_vote(session, people)

    with pytest.raises(conflicts.NotAnElector):
        declare(session, proposal_id, make_user(session).id)


# Turning points


def extended(session, proposal_id):
    case = find(session, proposal_id)
    return case.timeline.closes - CLOSES


def moved(session, proposal_id):
    """Return what audit events say of the close."""
    about = {
        "subject": f"proposal:{proposal_id}",
        "action": Action.PROPOSAL_CLOSE_MOVED,
    }
    found = audit_events.page(session, limit=5, **about)
    details = [row.AuditEvent.details for row in found.items]
    return [(one["because"], one["closes_at"]) for one in details]


def test_a_quorum_reached_near_the_end_moves_the_close_once(session, people):
    proposal_id = make_vote(session, people, quorum="2/5", extension_hours=6)
    at = [CLOSES - 5 * HOUR, CLOSES - 4 * HOUR, CLOSES - 3 * HOUR]

    claims = [
        ballot(proposal_id, person, at=then)
        for person, then in zip(people, at, strict=False)
    ]
    vote(session, *claims)

    assert extended(session, proposal_id) == 2 * HOUR
    assert find(session, proposal_id).events[Event.QUORUM_REACHED].at == at[1]
    closes_at = (CLOSES + 2 * HOUR).isoformat()
    assert moved(session, proposal_id) == [("quorum_reached", closes_at)]
    # What comes in the time that was won counts, in the same batch or another.
    late = ballot(proposal_id, people[4], at=CLOSES + HOUR)
    assert vote(session, late)[0]["sequence"] == 1
    assert extended(session, proposal_id) == 2 * HOUR


# About the close, and what a late quorum makes of it.
ACCEPTED = st.integers(-8 * 60, 8 * 60).map(lambda one: CLOSES + one * HOUR / 60)


@given(st.data())
def test_in_whatever_order_they_are_stored_ballots_count_in_the_order_accepted(
    session, data
):
    """Two processes of the API may store in another order than they accepted in."""
    people = make_people(session, 5)
    rules = {"quorum": "2/5", "extension_hours": 6}
    rules["replaceable"] = data.draw(st.booleans())
    proposal_id = make_vote(session, people, **rules)
    times = data.draw(st.lists(ACCEPTED, min_size=2, max_size=8, unique=True))
    claims = [
        ballot(
            proposal_id,
            data.draw(st.sampled_from(people)),
            data.draw(st.sampled_from(["yes", "no", "rubbish"])),
            at=at,
        )
        for at in sorted(times)
    ]

    def cast(claims):
        with session.begin_nested() as tried:
            told = vote(session, *claims)
            by_id = dict(zip([one.id for one in claims], told, strict=True))
            events = {one.kind: one.at for one in find(session, proposal_id).in_order()}
            told = by_id, effective(session, proposal_id), events
            tried.rollback()
        session.expire_all()
        return told

    assert cast(data.draw(st.permutations(claims))) == cast(claims)


def test_a_quorum_reached_early_moves_nothing(session, people):
    proposal_id = make_vote(session, people, quorum="2/5", extension_hours=6)

    vote(session, *[ballot(proposal_id, one) for one in people[:2]])
    vote(session, ballot(proposal_id, people[2], at=CLOSES - HOUR))

    assert Event.QUORUM_REACHED not in find(session, proposal_id).events
    assert moved(session, proposal_id) == []


def test_votes_carried_by_others_count_to_the_quorum(session, people):
    proposal_id = make_vote(
        session, people, quorum="3/5", extension_hours=6, delegation=True
    )
    _delegate(session, {people[1]: people[0], people[2]: people[1]})

    vote(session, ballot(proposal_id, people[0], at=CLOSES - HOUR))

    assert extended(session, proposal_id) == 5 * HOUR


def _delegate(session, edges):
    for delegator, delegate in edges.items():
        delegations.create(
            session, delegator, delegate, topic=None, until=None, now=NOW
        )


def test_an_outcome_that_nobody_can_change_closes_the_vote(session, people):
    proposal_id = make_vote(session, people, early_close=True, replaceable=False)
    times = [VOTING + n * HOUR for n in range(4)]
    claims = [
        ballot(proposal_id, person, at=at)
        for person, at in zip(people, times, strict=False)
    ]

    told = vote(session, *claims)

    assert told[3] == "voting_closed"
    case = find(session, proposal_id)
    assert case.timeline.closes == times[2]
    assert moved(session, proposal_id) == [("settled", times[2].isoformat())]
    assert case.state(times[2]) is State.CLOSED
    assert case.row.turnout == 3


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, 0), (1, 60), (59.999_999, 60), (60, 60), (3 * 3600 - 1, 3 * 3600)],
)
def test_when_a_secret_vote_reached_its_quorum_is_told_to_the_minute(
    session, people, seconds, told
):
    """Exactly, it would be when somebody voted. The close may come later by so much."""
    proposal_id = make_vote(session, people, **LATE_IN_SECRET)
    began = CLOSES - 3 * HOUR
    at = began + timedelta(seconds=seconds)

    vote(session, ballot(proposal_id, people[0], at=at, secret=True))

    reached = find(session, proposal_id).events[Event.QUORUM_REACHED].at
    assert reached == began + timedelta(seconds=told)
    assert extended(session, proposal_id) == reached + 6 * HOUR - CLOSES
    # No more than the type allows, though it was in the last minute.
    assert extended(session, proposal_id) <= 6 * HOUR


LATE_IN_SECRET = {
    "quorum": "1/5",
    "extension_hours": 6,
    "secret": True,
    "replaceable": False,
}


@pytest.mark.parametrize(
    ("at", "expected"),
    [(6 * HOUR - TICK, "taken"), (6 * HOUR, "voting_closed")],
)
def test_a_secret_vote_is_open_until_the_close_that_is_told(
    session, people, at, expected
):
    """Also for ballots of the batch in which it moved."""
    proposal_id = make_vote(session, people, **LATE_IN_SECRET)
    claims = [
        ballot(proposal_id, people[0], at=CLOSES - 59 * TICK, secret=True),
        ballot(proposal_id, people[1], at=CLOSES + at, secret=True),
    ]

    told = vote(session, *claims)[1]
    again = vote(session, claims[1]._replace(principal=people[2]))[0]

    assert [one if isinstance(one, str) else "taken" for one in (told, again)] == [
        expected
    ] * 2


def test_hundreds_are_cast_with_as_many_statements_as_a_few(session):
    people = make_people(session, 300)
    council = make_council(session, people)

    def statements(number):
        proposal_id = make_vote(session, (), council=council)
        vote(session, ballot(proposal_id, people[0]))
        claims = [ballot(proposal_id, person) for person in people[:number]]
        seen = []

        def note(_connection, _cursor, statement, *_others):
            seen.append(statement)

        connection = session.connection()
        sa.event.listen(connection, "before_cursor_execute", note)
        vote(session, *claims, now=VOTING + DAY)
        sa.event.remove(connection, "before_cursor_execute", note)
        return len(seen)

    assert statements(300) == statements(2) < 20
