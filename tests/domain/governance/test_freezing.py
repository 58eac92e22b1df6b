"""Freezes: the same whoever makes them, and however late."""

import json
from hashlib import sha256

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import roles, users
from domain.councils.record import CouncilMember, Nomination
from domain.governance import delegations, proposals
from domain.governance.cases import WrongState
from domain.governance.freezing import election_of, freeze
from domain.governance.texts import Text
from domain.governance.voting_record import Elector
from domain.ids import uuid7
from domain.ledger import TREASURY
from domain.tally import Eligible
from domain.tally.weights import RULES
from tests.domain.governance.votes import (
    CLOSES,
    DAY,
    HOUR,
    VOTING,
    find,
    make_council,
    make_people,
    make_vote,
    seat,
)
from tests.factories import NOW, fund, make_transfer, make_user, post_one

BEFORE, AFTER = NOW + HOUR, VOTING + HOUR


def frozen(session, proposal_id, *, now=VOTING):
    return freeze(session, find(session, proposal_id), now=now)


def electors(session, proposal_id):
    rows = session.scalars(sa.select(Elector).where(Elector.proposal_id == proposal_id))
    return {row.voter_id: (row.weight, row.delegate_id) for row in rows}


def delegate(session, delegator, to, *, now=BEFORE, **fields):
    given = {"topic": None, "until": None, **fields}
    return delegations.create(session, delegator, to, now=now, **given)


# When


def test_nothing_is_frozen_before_voting_opens(session):
    proposal_id = make_vote(session, make_people(session, 1))

    with pytest.raises(WrongState):
        frozen(session, proposal_id, now=VOTING - HOUR / 3600)


def test_what_was_cancelled_is_not_frozen(session):
    proposal_id = make_vote(session, make_people(session, 1))
    proposals.cancel(session, proposal_id, actor=uuid7(), reason="No.", now=NOW)

    with pytest.raises(WrongState):
        frozen(session, proposal_id)


def test_the_first_to_ask_fixes_it_for_all(session):
    proposal_id = make_vote(session, make_people(session, 2))
    case = find(session, proposal_id)

    first = freeze(session, case, now=VOTING)

    # As somebody has it who looked before that.
    assert freeze(session, case, now=CLOSES) is first
    assert first.at == VOTING


# A late freeze is the punctual one

DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["fund", "transfer", "delegate", "end", "seat", "leave"]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=8,
)


def happen(session, people, council, drawn, *, now):
    deed, one, other = drawn[0], *(people[number] for number in drawn[1:])
    if deed == "fund":
        fund(session, str(one), now=now)
    elif deed == "transfer":
        fund(session, str(one), now=now)
        whom = str(other) if one != other else TREASURY
        post_one(session, make_transfer(source=str(one), target=whom), now=now)
    elif deed == "delegate" and one != other:
        delegate(session, one, other, now=now)
    elif deed == "end":
        page = delegations.given(session, one, start=None, limit=5)
        for row in page.items:
            delegations.end(session, row.Delegation.id, viewer=one, now=now)
    elif deed == "seat":
        seat(session, council, make_user(session, now=now).id, since=now)
    elif deed == "leave":
        ended = {"ended_at": now, "ended_because": "resigned"}
        member = sa.update(CouncilMember).where(
            CouncilMember.user_id == one, CouncilMember.ended_at.is_(None)
        )
        session.execute(member.values(**ended))


@settings(max_examples=25)
@given(before=DEEDS, after=DEEDS, weight=st.sampled_from([*RULES]))
def test_a_late_freeze_is_the_punctual_one(session, before, after, weight):
    with session.begin_nested() as undone:
        people = make_people(session, 4)
        council = make_council(session, people)
        rules = {"weight": weight, "delegation": True, "council": council}
        proposal_id = make_vote(session, people, **rules)
        for deed in before:
            happen(session, people, council, deed, now=BEFORE)
        with session.begin_nested() as punctual:
            at_once = frozen(session, proposal_id).sha256
            then = electors(session, proposal_id)
            punctual.rollback()
        session.expunge_all()
        for deed in after:
            happen(session, people, council, deed, now=AFTER)

        late = frozen(session, proposal_id, now=CLOSES + DAY)

        assert late.sha256 == at_once
        assert electors(session, proposal_id) == then
        undone.rollback()
    session.expunge_all()


# Who


def test_members_vote_who_were_so_long_enough_and_have_not_left(session):
    proposal_id = make_vote(session, (), electors="members", electors_days=3)
    old, young, late = (
        make_user(session, now=VOTING - days * DAY) for days in (3, 2, -1)
    )
    gone, going = (make_user(session, now=VOTING - 9 * DAY) for _ in range(2))
    users.delete(session, gone, now=VOTING)
    users.delete(session, going, now=AFTER)

    frozen(session, proposal_id, now=AFTER)
    found = electors(session, proposal_id).keys()

    assert {old.id, going.id} <= found
    assert found.isdisjoint({young.id, late.id, gone.id})


def test_a_role_votes_by_who_held_it_then(session):
    proposal_id = make_vote(session, (), electors="moderator")
    held, lost, ended, later = (make_user(session, now=NOW - DAY).id for _ in range(4))

    def grant(person, *, ends_at=None, now=BEFORE):
        roles.grant(session, person, "moderator", by=None, ends_at=ends_at, now=now)

    for person in (held, lost):
        grant(person)
    grant(ended, ends_at=VOTING)
    grant(later, now=AFTER)
    roles.revoke(session, lost, "moderator", by=None, now=VOTING)
    roles.revoke(session, held, "moderator", by=None, now=AFTER)

    frozen(session, proposal_id, now=CLOSES)
    found = electors(session, proposal_id).keys()

    assert held in found
    assert found.isdisjoint({lost, ended, later})


def test_a_council_votes_by_who_sat_in_it_then(session):
    sitting, over, coming = make_people(session, 3)
    council = make_council(session, [sitting])
    seat(session, council, over, until=VOTING)
    seat(session, council, coming, since=AFTER)
    proposal_id = make_vote(session, (), council=council)

    frozen(session, proposal_id, now=CLOSES)

    assert electors(session, proposal_id).keys() == {sitting}


# What their votes weigh


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("tens", [0, 1, 2, 5, 10, 40])
def test_votes_weigh_what_the_rule_makes_of_what_was_held(session, rule, tens):
    (person,) = make_people(session, 1)
    if tens:
        fund(session, str(person), times=tens, now=BEFORE)
    fund(session, str(person), times=3, now=AFTER)
    proposal_id = make_vote(session, [person], weight=rule)

    found = frozen(session, proposal_id, now=CLOSES)

    weight = RULES[rule](10 * tens)
    assert electors(session, proposal_id) == {person: (weight, None)}
    assert (found.people, found.weight) == (1, weight)


@given(
    st.integers(0, 2**62)
    | st.integers(0, 2**30).flatmap(
        lambda root: st.sampled_from([root * root, max(0, root * root - 1)])
    )
)
@settings(max_examples=80)
def test_a_root_in_the_database_is_the_exact_one(session, held):
    """As domain/governance/electorates.py takes it, beside domain.tally.weights."""
    taken = session.scalar(
        sa.text(
            "SELECT (root - (root * root > square)::integer)::bigint FROM ("
            "SELECT square, trunc(sqrt(square)) AS root FROM ("
            "SELECT CAST(:held AS numeric) * 1000000 AS square) AS a) AS b"
        ),
        {"held": held},
    )

    assert taken == RULES["square-root"](held)


# In whose hands they are


def test_a_delegation_for_the_type_goes_before_the_one_for_all(session):
    one, general, special, ended, past = make_people(session, 5)
    proposal_id = make_vote(
        session, [one, general, special, ended, past], delegation=True
    )
    topic = find(session, proposal_id).row.type
    delegate(session, one, general)
    delegate(session, one, special, topic=topic)
    delegate(session, ended, general, until=VOTING)
    gone = delegate(session, past, general)
    delegations.end(session, gone.id, viewer=past, now=VOTING)

    frozen(session, proposal_id, now=CLOSES)

    expected = {one: (1, special)} | dict.fromkeys(
        (general, special, ended, past), (1, None)
    )
    assert electors(session, proposal_id) == expected


def test_a_vote_is_in_the_hands_of_electors_alone(session):
    one, stranger = make_people(session, 2)
    proposal_id = make_vote(session, [one], delegation=True)
    delegate(session, one, stranger)

    frozen(session, proposal_id)

    assert electors(session, proposal_id) == {one: (1, None)}


def test_without_delegation_nobody_has_anothers_vote(session):
    one, other = people = make_people(session, 2)
    proposal_id = make_vote(session, people)
    delegate(session, one, other)

    frozen(session, proposal_id)

    assert electors(session, proposal_id) == {one: (1, None), other: (1, None)}


# What is published


def test_what_is_published_is_the_hash_of_all_of_it(session):
    one, other = people = sorted(make_people(session, 2))
    proposal_id = make_vote(
        session, people, method="irv", options=("ben", "ada"), delegation=True
    )
    delegate(session, one, other)

    found = frozen(session, proposal_id)
    said = json.loads(found.definition)

    lines = f"{one} 1 {other}\n{other} 1 -"
    assert found.sha256 == sha256(found.definition.encode()).hexdigest()
    assert said["electorate"] == {
        "people": 2,
        "weight": 2,
        "sha256": sha256(lines.encode()).hexdigest(),
    }
    assert (said["format"], said["proposal"]) == ("coin freeze 1", str(proposal_id))
    assert said["text"]["options"] == said["options"] == ["ben", "ada"]
    assert said["voting_at"] == VOTING.isoformat()
    assert said["commitment"] == find(session, proposal_id).commitment
    assert said["parameters"]["method"] == "irv"
    election = election_of(found)
    assert (election.options, election.eligible) == (("ben", "ada"), Eligible(2, 2))


def test_every_ingredient_changes_the_hash(session):
    one, other = people = make_people(session, 2)
    council = make_council(session, people)
    rules = {"council": council, "delegation": True}

    def edit(proposal_id, **changed):
        case = find(session, proposal_id)
        before = Text.of(case.text).describe() | changed
        author = case.row.author
        proposals.edit(session, proposal_id, Text(**before), editor=author, now=NOW)

    def hash_after(change, **more):
        with session.begin_nested() as undone:
            proposal_id = made if not more else make_vote(session, (), **rules, **more)
            change(proposal_id)
            found = frozen(session, proposal_id).sha256
            undone.rollback()
        session.expunge_all()
        return found

    made = make_vote(session, (), **rules)
    hashes = [
        hash_after(lambda _: None),
        hash_after(lambda _: None, quorum="1/2"),
        hash_after(lambda one: edit(one, title="Another title of some words")),
        hash_after(lambda one: edit(one, description="Another description of it")),
        hash_after(lambda one: edit(one, details={"a": 1})),
        hash_after(lambda _: delegate(session, one, other)),
        hash_after(lambda _: delegate(session, other, one)),
        hash_after(lambda _: seat(session, council, make_people(session, 1)[0])),
    ]

    assert len(set(hashes)) == len(hashes)
    assert hash_after(lambda _: None) == hashes[0]


# Elections


def stand(session, proposal_id, person, **fields):
    row = {"statement": "I would.", "at": BEFORE, "affiliation": None, **fields}
    session.add(Nomination(proposal_id=proposal_id, user_id=person, **row))
    session.flush()


def test_an_election_is_among_those_who_stand(session):
    people = make_people(session, 4)
    council = make_council(session, people, seats=2, affiliation_cap=1)
    said = {"deed": "seats", "details": {"seats": 2, "all": True}}
    proposal_id = make_vote(session, (), council=council, method="scottish-stv", **said)
    names = {person: session.get(users.User, person).username for person in people}
    one, other, withdrew, late = people
    stand(session, proposal_id, one, affiliation="the bakery")
    stand(session, proposal_id, other, withdrawn_at=AFTER)
    stand(session, proposal_id, withdrew, withdrawn_at=VOTING)
    stand(session, proposal_id, late, at=AFTER)

    found = frozen(session, proposal_id, now=CLOSES)
    said, election = json.loads(found.definition), election_of(found)

    assert said["options"] == sorted([names[one], names[other]])
    assert said["affiliations"] == {names[one]: "the bakery", names[other]: None}
    assert (said["affiliation_cap"], said["seats"]) == (1, 2)
    assert (list(election.options), election.seats) == (said["options"], 2)


def test_an_election_says_itself_how_many_seats_it_fills(session):
    (person,) = people = make_people(session, 1)
    said = {"deed": "seats", "details": {"seats": 1, "all": False}}
    proposal_id = make_vote(session, people, method="irv", **said)
    stand(session, proposal_id, person)

    assert election_of(frozen(session, proposal_id)).seats == 1


def test_thousands_are_frozen_together(session):
    session.execute(
        sa.text("""
            INSERT INTO users (id, username, created_at)
            SELECT gen_random_uuid(), 'crowd.' || n, :at
            FROM generate_series(1, 10000) n"""),
        {"at": NOW - DAY},
    )
    proposal_id = make_vote(
        session, (), electors="members", weight="square-root", delegation=True
    )
    found = frozen(session, proposal_id)

    assert found.people >= 10_000
