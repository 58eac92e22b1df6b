"""Quadratic votes: paid for exactly, given back exactly, never beyond what there is."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.governance import proposals, refunding
from domain.governance.spending import season_of
from domain.governance.voting_record import OpenBallot, VoteSpending
from domain.ids import uuid7
from domain.ledger import TREASURY, balance, trial_balance
from domain.ledger.writes import REVERSE_TRANSFER, reverse
from tests.domain.governance.votes import (
    VOTING,
    ballot,
    find,
    make_people,
    make_vote,
    vote,
)
from tests.factories import fund, make_claim, make_lane

OPTIONS = ("ada", "ben", "cat")
RULES = {"method": "quadratic", "options": OPTIONS, "budget": 100}


@pytest.fixture
def person(session):
    (one,) = make_people(session, 1)
    fund(session, str(one), times=5)
    return one


def holds(session, owner):
    return balance(session, application="commons", owner=str(owner)).balance


def spent(session, proposal_id):
    total = sa.func.coalesce(sa.func.sum(VoteSpending.credits), 0)
    where = VoteSpending.proposal_id == proposal_id
    return int(session.scalar(sa.select(total).where(where)))


def test_votes_cost_their_square_to_the_treasury(session, person):
    proposal_id = make_vote(session, [person], **RULES)
    treasury = holds(session, TREASURY)

    (told,) = vote(session, ballot(proposal_id, person, {"ada": 3, "ben": 2}))

    assert told["credits"] == spent(session, proposal_id) == 13
    assert holds(session, person) == 50 - 13
    assert holds(session, TREASURY) == treasury + 13


def test_a_change_costs_the_difference_and_fewer_come_back(session, person):
    proposal_id = make_vote(session, [person], **RULES)
    changes = [{"ada": 3}, {"ada": 4}, {"ada": 4}, {"ben": 2}, {}]

    left = []
    for choice in changes:
        vote(session, ballot(proposal_id, person, choice), lane=7)
        left.append(holds(session, person))
    rows = session.scalars(
        sa.select(VoteSpending.credits).where(VoteSpending.voter_id == person)
    )

    assert left == [41, 34, 34, 46, 50]
    assert sorted(rows) == [-12, -4, 7, 9]


def test_several_changes_in_one_batch_are_paid_one_after_another(session, person):
    proposal_id = make_vote(session, [person], **RULES)
    choices = [{"ada": 5}, {"ada": 8}, {"ada": 1}, {"ada": 7}]

    told = vote(session, *[ballot(proposal_id, person, one) for one in choices])

    assert told[1] == "insufficient_credits"
    assert [one["credits"] for one in (told[0], *told[2:])] == [25, 1, 49]
    assert holds(session, person) == 1


def test_the_budget_of_a_season_is_over_all_its_votes(session, person):
    fund(session, str(person), times=20)
    first, second = (make_vote(session, [person], **RULES) for _ in range(2))

    told = [
        *vote(session, ballot(first, person, {"ada": 8})),
        *vote(session, ballot(second, person, {"ben": 7})),
        *vote(session, ballot(second, person, {"ben": 6})),
        *vote(session, ballot(first, person, {"ada": 7})),
        *vote(session, ballot(second, person, {"ben": 7})),
    ]

    refused = "season_budget_spent"
    said = [one if isinstance(one, str) else one["credits"] for one in told]
    assert said == [64, refused, 36, 49, 49]


def test_fewer_votes_are_taken_though_more_was_spent_elsewhere(session, person):
    """Another type's budget is larger: what is left of this one's is below zero."""
    fund(session, str(person), times=20)
    large = make_vote(session, [person], **RULES)
    small = make_vote(session, [person], **{**RULES, "budget": 50})
    vote(session, ballot(small, person, {"ada": 5}))
    vote(session, ballot(large, person, {"ada": 8}))

    changes = [{"ada": 6}, {"ada": 4}, {"ada": 4}, {}, {"ada": 1}]
    told = [vote(session, ballot(small, person, one))[0] for one in changes]

    refused = "season_budget_spent"
    said = [one if isinstance(one, str) else one["credits"] for one in told]
    assert said == [refused, 16, 16, 0, refused]


def test_beyond_the_budget_of_one_ballot_it_is_none(session, person):
    proposal_id = make_vote(session, [person], **RULES)

    assert vote(session, ballot(proposal_id, person, {"ada": 11})) == ["bad_ballot"]


def test_a_refused_ballot_costs_nothing(session, person):
    proposal_id = make_vote(session, [person], **{**RULES, "replaceable": False})
    vote(session, ballot(proposal_id, person, {"ada": 2}))

    assert vote(session, ballot(proposal_id, person, {"ada": 5})) == ["already_voted"]
    assert holds(session, person) == 46


def test_credits_come_back_though_the_lanes_share_was_spent(session, person):
    """By another lane, as after a change of their number, or for what was decided."""
    proposal_id = make_vote(session, [person], **RULES)
    vote(session, ballot(proposal_id, person, {"ada": 5}), lane=make_lane())

    (told,) = vote(session, ballot(proposal_id, person, {}), lane=make_lane())

    assert told["credits"] == 0
    assert holds(session, person) == 50


@pytest.mark.parametrize(
    ("opening", "season"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026Q1"),
        (datetime(2026, 11, 21, tzinfo=UTC), "2026Q4"),
        # Still March by UTC.
        (datetime(2026, 4, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026Q1"),
    ],
)
def test_a_season_is_a_quarter_by_utc(opening, season):
    assert season_of(opening) == season


CHOICES = st.dictionaries(st.sampled_from(OPTIONS), st.integers(0, 9), max_size=3)
DEEDS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), CHOICES), min_size=1, max_size=12
)


@settings(max_examples=30)
@given(DEEDS, st.integers(1, 12), st.booleans())
def test_never_more_is_spent_than_there_is(session, deeds, tens, together):
    """Beside a model of a few lines; in one batch or each ballot by itself."""
    with session.begin_nested() as undone:
        people = make_people(session, 2)
        for one in people:
            fund(session, str(one), times=tens)
        votes = [make_vote(session, people, **RULES) for _ in range(2)]
        paid = {}
        expected = []
        for which, who, choice in deeds:
            cost = sum(number * number for number in choice.values())
            others = paid.get((1 - which, who), 0)
            if cost > 100:
                expected.append("bad_ballot")
            elif others + cost > 100:
                expected.append("season_budget_spent")
            elif others + cost > 10 * tens:
                expected.append("insufficient_credits")
            else:
                paid[which, who] = cost
                expected.append(cost)
        claims = [ballot(votes[w], people[p], choice) for w, p, choice in deeds]
        batches = [claims] if together else [[claim] for claim in claims]
        told = [one for batch in batches for one in vote(session, *batch, lane=9)]

        said = [one if isinstance(one, str) else one["credits"] for one in told]
        assert said == expected
        for number, one in enumerate(people):
            total = sum(cost for (_, who), cost in paid.items() if who == number)
            assert holds(session, one) == 10 * tens - total
        assert trial_balance(session, application="commons").sum == 0
        undone.rollback()
    session.expunge_all()


class Community:
    """Two people, two votes, and what a model of a few lines says they hold."""

    def __init__(self, session):
        self._session = session
        self.people = make_people(session, 2)
        for one in self.people:
            fund(session, str(one), times=5)
        self.votes = [make_vote(session, self.people, **RULES) for _ in range(2)]
        self.treasury = holds(session, TREASURY)
        self.paid = {}
        self.cancelled = set()

    def cast(self, which, who, choice):
        claim = ballot(self.votes[which], self.people[who], choice)
        (told,) = vote(self._session, claim, lane=9)
        if not isinstance(told, str):
            assert which not in self.cancelled
            self.paid[which, who] = told["credits"]

    def cancel(self, which):
        if which in self.cancelled:
            return
        self.cancelled.add(which)
        author = find(self._session, self.votes[which]).row.author
        proposals.cancel(
            self._session, self.votes[which], actor=author, reason="no", now=VOTING
        )

    def refund(self):
        for _ in range(20):
            job = uuid7()
            refunding.refund(self._session, lane=9, job_id=job, count=1, now=VOTING)
        self.paid = {
            (which, who): cost
            for (which, who), cost in self.paid.items()
            if which not in self.cancelled
        }

    def reverse(self, which):
        """Try to undo every payment of a vote."""
        ids = self._session.scalars(
            sa.select(VoteSpending.transfer_id).where(
                VoteSpending.proposal_id == self.votes[which]
            )
        )
        asked = [{"transfer_id": str(one), "nonce": str(one)} for one in ids]
        claims = [make_claim(REVERSE_TRANSFER, {**one, "reason": ""}) for one in asked]
        for outcome in reverse(self._session, claims, lane=9, now=VOTING):
            assert outcome.refusal.code == "not_reversible"

    def check(self):
        spent_by = [
            sum(cost for (_, who), cost in self.paid.items() if who == number)
            for number in range(2)
        ]
        held = [holds(self._session, one) for one in self.people]
        assert held == [50 - one for one in spent_by]
        assert holds(self._session, TREASURY) == self.treasury + sum(spent_by)


DEED = st.one_of(
    st.tuples(st.just("cast"), st.integers(0, 1), st.integers(0, 1), CHOICES),
    st.tuples(st.just("cancel"), st.integers(0, 1)),
    st.tuples(st.just("refund")),
    st.tuples(st.just("reverse"), st.integers(0, 1)),
)


@settings(max_examples=30)
@given(st.lists(DEED, min_size=1, max_size=10))
def test_whatever_is_done_no_credit_is_lost_or_made(session, deeds):
    with session.begin_nested() as undone:
        community = Community(session)
        for name, *given_ in deeds:
            getattr(community, name)(*given_)
            community.check()
        undone.rollback()
    session.expunge_all()


@pytest.fixture
def committed(sessions):
    """A person with fifty credits, and two votes of theirs, for all to see."""
    with sessions.begin() as session:
        (one,) = make_people(session, 1)
        fund(session, str(one), times=5)
        return one, [make_vote(session, [one], **RULES) for _ in range(2)]


def test_two_lanes_at_once_do_not_spend_an_account_twice(sessions, committed):
    """Each sees what the other spent: both votes together would cost 98 of 50."""
    one, votes = committed
    lanes = [make_lane(), make_lane()]

    def cast(number):
        with sessions.begin() as session:
            claims = [ballot(votes[number], one, {"ada": n}) for n in (7, 5, 6, 4)]
            return vote(session, *claims, lane=lanes[number])

    with ThreadPoolExecutor(2) as pool:
        told = [answer for answers in pool.map(cast, range(2)) for answer in answers]

    assert "insufficient_credits" in told
    with sessions() as session:
        total = sum(spent(session, proposal_id) for proposal_id in votes)
        assert holds(session, one) == 50 - total >= 0
        newest = {
            row.proposal_id: sum(votes * votes for _, votes in row.ballot)
            for row in session.scalars(
                sa.select(OpenBallot)
                .where(OpenBallot.voter_id == one)
                .order_by(OpenBallot.sequence)
            )
        }
        assert total == sum(newest.values())


def test_a_batch_that_is_tried_again_is_paid_once(sessions, committed):
    one, (proposal_id, _) = committed
    claim, lane = ballot(proposal_id, one, {"ada": 4}), make_lane()
    with sessions() as session:
        vote(session, claim, lane=lane)
        # The worker dies before its commit.
        session.rollback()

    with sessions.begin() as session:
        vote(session, claim, lane=lane)

    with sessions() as session:
        assert (holds(session, one), spent(session, proposal_id)) == (34, 16)
