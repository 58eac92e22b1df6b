"""What votes cost comes back when they are not counted: once, to everybody."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from domain.audit_events import AuditEvent
from domain.governance import proposals, refunding
from domain.governance.explaining import explain
from domain.governance.lifecycle import Event, State
from domain.governance.purse import purse_of, shards
from domain.governance.voting_record import VoteSpending
from domain.ids import uuid7
from domain.ledger import (
    ISSUANCE,
    TREASURY,
    AccountKey,
    Batch,
    Posting,
    accounts,
    post,
    trial_balance,
)
from domain.ledger.writes import REVERSE_TRANSFER, NotReversible, reverse
from tests.domain.governance.test_executing import fill
from tests.domain.governance.test_spending import RULES, holds, spent
from tests.domain.governance.votes import (
    HOUR,
    VOTING,
    ballot,
    find,
    make_people,
    make_vote,
    vote,
)
from tests.factories import NOW, fund, make_claim, make_lane

CANCELLED = VOTING + HOUR
LATER = CANCELLED + HOUR


@pytest.fixture
def people(session):
    return rich(session, 3)


def rich(session, number):
    """Return people with fifty credits each."""
    made = make_people(session, number)
    for one in made:
        fund(session, str(one), times=5)
    return made


def cancel(session, proposal_id):
    author = find(session, proposal_id).row.author
    proposals.cancel(session, proposal_id, actor=author, reason="no", now=CANCELLED)


def refund(session, *, count=100):
    return refunding.refund(
        session, lane=make_lane(), job_id=uuid7(), count=count, now=LATER
    )


def refund_all(session, proposal_id):
    """Go on until a proposal is paid back, as the clock does."""
    for _ in range(20):
        if Event.REFUNDED in find(session, proposal_id).events:
            return
        refund(session)
    raise AssertionError("it was not paid back")


def empty_treasury(session):
    """Let the treasury have spent all it has."""
    held = accounts.lock(session, shards(session), now=NOW)
    for key, standing in held.items():
        if standing.balance:
            move(session, key, AccountKey("commons", ISSUANCE, key.shard), standing)


def move(session, debit, credit, standing):
    posting = Posting(
        id=uuid7(),
        job_id=uuid7(),
        operation="TRANSFER",
        debit=debit,
        credit=credit,
        amount=standing.balance,
        nonce=str(uuid7()),
        subject=debit,
    )
    post(session, [Batch([posting])], now=NOW)


def test_a_cancelled_vote_gives_back_what_it_cost(session, people):
    proposal_id = make_vote(session, people, **RULES)
    choices = [{"ada": 5}, {"ada": 3, "ben": 4}, {}]
    vote(
        session,
        *[ballot(proposal_id, p, c) for p, c in zip(people, choices, strict=True)],
    )
    vote(session, ballot(proposal_id, people[0], {"ada": 6}))

    cancel(session, proposal_id)
    refund_all(session, proposal_id)

    assert [holds(session, one) for one in people] == [50] * 3
    assert spent(session, proposal_id) == 0
    case = find(session, proposal_id)
    assert case.state(LATER) is State.CANCELLED
    assert "was given back" in explain(session, case, now=LATER)["explanation"]
    of_it = AuditEvent.subject == f"proposal:{proposal_id}"
    (told,) = session.scalars(sa.select(AuditEvent).where(of_it))
    assert (told.action, told.actor) == ("proposal.refunded", None)


def test_the_seasons_budget_comes_back_too(session, people):
    voter = people[0]
    fund(session, str(voter), times=20)
    first, second = (make_vote(session, people, **RULES) for _ in range(2))
    vote(session, ballot(first, voter, {"ada": 8}))
    assert vote(session, ballot(second, voter, {"ada": 8})) == ["season_budget_spent"]

    cancel(session, first)
    refund_all(session, first)

    (told,) = vote(session, ballot(second, voter, {"ada": 8}))
    assert told["credits"] == 64


def test_a_vote_that_goes_on_is_not_paid_back(session, people):
    going, cancelled = (make_vote(session, people, **RULES) for _ in range(2))
    for one in (going, cancelled):
        vote(session, ballot(one, people[0], {"ada": 3}))
    cancel(session, cancelled)
    refund_all(session, cancelled)
    refund(session)

    assert (spent(session, going), holds(session, people[0])) == (9, 41)


def test_many_are_paid_back_some_at_a_time(session, people):
    proposal_id = make_vote(session, people, **RULES)
    vote(session, *[ballot(proposal_id, one, {"ada": 4}) for one in people])
    cancel(session, proposal_id)
    while not refund(session, count=2):
        """Others' proposals may come first."""

    assert sorted(holds(session, one) for one in people) == [34, 50, 50]
    assert Event.REFUNDED not in find(session, proposal_id).events
    refund_all(session, proposal_id)
    assert [holds(session, one) for one in people] == [50] * 3


def test_what_the_treasury_has_spent_is_paid_back_when_it_has_it_again(session, people):
    proposal_id = make_vote(session, people, **RULES)
    vote(session, *[ballot(proposal_id, one, {"ada": 4}) for one in people])
    cancel(session, proposal_id)
    empty_treasury(session)
    fill(session, {make_lane(): 10, make_lane(): 10})

    assert refund(session) == 1
    assert refund(session) == 0
    assert sorted(holds(session, one) for one in people) == [34, 34, 50]

    fill(session, {make_lane(): 50})
    refund_all(session, proposal_id)
    assert [holds(session, one) for one in people] == [50] * 3


def test_it_is_gathered_from_all_of_the_treasury(session, people):
    """None of its shards has what a voter is to get."""
    proposal_id = make_vote(session, people, **RULES)
    vote(session, ballot(proposal_id, people[0], {"ada": 6}))
    empty_treasury(session)
    fill(session, {make_lane(): 18, make_lane(): 18})

    (told,) = vote(session, ballot(proposal_id, people[0], {}), lane=make_lane())

    assert (told["credits"], holds(session, people[0])) == (0, 50)
    assert holds(session, TREASURY) == 0
    assert trial_balance(session, application="commons").sum == 0


def test_what_it_does_not_have_in_all_is_said(session, people):
    proposal_id = make_vote(session, people, **RULES)
    vote(session, ballot(proposal_id, people[0], {"ada": 6}))
    empty_treasury(session)
    fill(session, {make_lane(): 18, make_lane(): 17})

    refused = vote(session, ballot(proposal_id, people[0], {}))

    assert refused == ["insufficient_credits"]
    assert holds(session, TREASURY) == 35


def test_what_votes_cost_is_not_taken_back_by_a_reversal(session, people):
    proposal_id = make_vote(session, people, **RULES)
    lane = make_lane()
    vote(session, ballot(proposal_id, people[0], {"ada": 5}), lane=lane)
    of_it = VoteSpending.proposal_id == proposal_id
    transfer_id = session.scalars(
        sa.select(VoteSpending.transfer_id).where(of_it)
    ).one()
    asked = {"transfer_id": str(transfer_id), "nonce": "n", "reason": "a slip"}

    (outcome,) = reverse(
        session, [make_claim(REVERSE_TRANSFER, asked)], lane=lane, now=LATER
    )

    assert type(outcome.refusal) is NotReversible
    assert "take the votes back" in outcome.refusal.detail
    assert holds(session, people[0]) == 25


@pytest.fixture
def committed(sessions):
    """A cancelled proposal that cost three people 16 credits each, for all to see."""
    with sessions.begin() as session:
        people = rich(session, 3)
        proposal_id = make_vote(session, people, **RULES)
        vote(session, *[ballot(proposal_id, one, {"ada": 4}) for one in people])
        cancel(session, proposal_id)
    yield people, proposal_id
    with sessions.begin() as session:
        refund_all(session, proposal_id)


def test_a_refund_that_is_killed_is_tried_again_and_paid_once(sessions, committed):
    people, proposal_id = committed
    with sessions() as session:
        refund_all(session, proposal_id)
        # The worker dies before its commit.
        session.rollback()

    for _ in range(2):
        with sessions.begin() as session:
            refund_all(session, proposal_id)

    with sessions() as session:
        assert [holds(session, one) for one in people] == [50] * 3


def test_several_at_once_pay_once(sessions, committed):
    people, proposal_id = committed

    def go(_):
        with sessions.begin() as session:
            return refund(session)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(go, range(8)))

    with sessions.begin() as session:
        refund_all(session, proposal_id)
        assert [holds(session, one) for one in people] == [50] * 3
        assert spent(session, proposal_id) == 0


def test_the_treasury_pays_from_the_shard_of_its_lane():
    assert purse_of(7) == AccountKey("commons", TREASURY, 7)
