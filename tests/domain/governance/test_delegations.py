"""Delegations: made, replaced, ended, and what ballots carry by them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.governance import conflicts, delegations, own_votes
from domain.governance.delegations import (
    Carried,
    DelegatedToYourself,
    NoSuchDelegation,
    carried,
)
from domain.governance.record import NoSuchProposalType
from domain.ids import uuid7
from domain.roles import EndsTooEarly
from domain.users import NoSuchUser
from tests.domain.governance.test_carrying import caps, graphs, model
from tests.domain.governance.votes import (
    HOUR,
    VOTING,
    ballot,
    make_people,
    make_vote,
    vote,
)
from tests.factories import NOW, fund
from tests.voting import Vote


def delegate(session, delegator, to, *, now=NOW, **fields):
    given = {"topic": None, "until": None, **fields}
    return delegations.create(session, delegator, to, now=now, **given)


def standing(session, person):
    page = delegations.given(session, person, start=None, limit=50)
    rows = [row.Delegation for row in page.items]
    return [row.delegate for row in rows if row.ended_at is None]


@pytest.fixture
def people(session):
    return make_people(session, 5)


def test_a_second_for_the_same_topic_takes_the_place_of_the_first(session, people):
    one, first, second, special, _ = people
    delegate(session, one, first)
    delegate(session, one, special, topic="recall")

    delegate(session, one, second, now=NOW + HOUR)

    assert standing(session, one) == [second, special]
    received = delegations.received(session, first, start=None, limit=5)
    assert [row.Delegation.ended_at for row in received.items] == [NOW + HOUR]


def test_what_cannot_be_is_refused(session, people):
    one, other, *_ = people

    with pytest.raises(DelegatedToYourself):
        delegate(session, one, one)
    with pytest.raises(NoSuchUser):
        delegate(session, one, uuid7())
    with pytest.raises(NoSuchProposalType):
        delegate(session, one, other, topic="weather")
    with pytest.raises(EndsTooEarly):
        delegate(session, one, other, until=NOW)


def test_either_of_the_two_ends_it_and_nobody_else(session, people):
    one, other, third, *_ = people
    made = delegate(session, one, other)

    with pytest.raises(NoSuchDelegation):
        delegations.end(session, made.id, viewer=third, now=NOW)
    delegations.end(session, made.id, viewer=other, now=NOW + HOUR)
    again = delegations.end(session, made.id, viewer=one, now=NOW + 2 * HOUR)

    assert again.ended_at == NOW + HOUR


# What ballots carry


def test_a_ballot_carries_those_behind_it_with_their_weight(session, people):
    one, two, three, four, _ = people
    fund(session, str(three), now=NOW)
    for delegator, to in ((two, one), (three, two), (four, three)):
        delegate(session, delegator, to)
    proposal_id = make_vote(session, people, delegation=True, weight="credits")
    vote(session, *[ballot(proposal_id, voter) for voter in (one, four)])

    assert carried(session, proposal_id, None) == {
        one: Carried(3, 10),
        four: Carried(1, 0),
    }
    assert carried(session, proposal_id, 2) == {
        one: Carried(2, 0),
        four: Carried(1, 0),
    }
    assert carried(session, proposal_id, None, [four, two]) == {four: Carried(1, 0)}


def test_nobody_votes_for_who_has_an_interest_of_their_own(session, people):
    one, two, three, *_ = people
    for delegator, to in ((two, one), (three, two)):
        delegate(session, delegator, to)
    proposal_id = make_vote(session, people, delegation=True)
    vote(session, ballot(proposal_id, one))
    conflicts.declare(session, proposal_id, voter=two, reason="Mine.", now=VOTING)

    assert carried(session, proposal_id, None) == {one: Carried(1, 1)}


@settings(max_examples=30)
@given(graphs(), caps, st.data())
def test_whatever_the_graph_it_is_what_walking_every_way_finds(
    session, graph, cap, data
):
    people, edges, voters = graph
    weights = data.draw(st.lists(st.integers(0, 9), min_size=12, max_size=12))
    vote = Vote(session, people=len(people), delegation=True).open()
    places = {one: place for place, one in enumerate(people)}
    ids = {one: vote.voters[place] for one, place in places.items()}
    vote.freeze(
        {places[one]: places[other] for one, other in edges.items()},
        weights[: len(people)],
    )
    for one in voters:
        vote.cast_one(ids[one], "yes")
    behind = model(people, edges, voters, cap)

    assert carried(session, vote.id, cap) == {
        ids[one]: Carried(
            1 + len(behind.get(one, ())),
            sum(weights[places[who]] for who in (one, *behind.get(one, ()))),
        )
        for one in voters
    }


# One's own vote


def carrier(session, proposal_id, person):
    found = own_votes.describe(session, proposal_id, voter=person)["carried_by"]
    return found and (found["user_id"], found["choice"])


def test_everybody_sees_who_carries_their_vote_and_how(session, people):
    one, two, three, four, five = people
    for delegator, to in ((two, one), (three, two), (four, five), (five, four)):
        delegate(session, delegator, to)
    proposal_id = make_vote(session, people, delegation=True)
    vote(session, ballot(proposal_id, one, "no"))

    seen = {person: carrier(session, proposal_id, person) for person in people}

    expected = (str(one), "no")
    assert seen == {one: None, two: expected, three: expected, four: None, five: None}


def test_who_is_beyond_the_cap_sees_that_nobody_carries_them(session, people):
    one, two, three, *_ = people
    for delegator, to in ((two, one), (three, two)):
        delegate(session, delegator, to)
    proposal_id = make_vote(session, people, delegation=True, delegation_cap=2)
    vote(session, ballot(proposal_id, one))

    assert carrier(session, proposal_id, two) == (str(one), "yes")
    assert carrier(session, proposal_id, three) is None


def test_ones_ballots_are_shown_newest_first(session, people):
    proposal_id = make_vote(session, people)
    vote(session, *[ballot(proposal_id, people[0], word) for word in ("yes", "no")])

    shown = own_votes.describe(session, proposal_id, voter=people[0])

    assert [(one["sequence"], one["choice"]) for one in shown["ballots"]] == [
        (2, "no"),
        (1, "yes"),
    ]
    assert (shown["voted"], shown["elector"]["weight"]) == (True, 1)
