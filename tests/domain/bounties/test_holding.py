"""What bounties do to the ledger, each exactly once."""

from datetime import timedelta

import pytest

from domain.bounties import claiming, holding, keeping
from domain.bounties.keeping import JUDGED_WITHIN, State
from domain.errors import IdempotencyKeyReused
from domain.ids import uuid7
from domain.ledger import InsufficientCredits, writes
from tests import audit
from tests.bounties import (
    EXPIRES,
    acceptance,
    balance_of,
    claim,
    close,
    create,
    creation,
    held,
    make_bounty,
    pay,
)
from tests.factories import NOW, fund, make_claim, make_lane, make_user


def test_a_bounty_holds_the_reward_of_every_place(session):
    creator = make_user(session).id
    fund(session, str(creator), times=2)
    asked = creation(creator, reward=5, participants_max=3)
    (done,) = create(session, asked)
    bounty = done.result["bounty"]

    assert (balance_of(session, creator), held(session, asked.id)) == (5, 15)
    assert done.result["balance"] == 5
    assert bounty["held"] == 15
    assert bounty["account"] == done.result["transfer"]["credit"]["owner_id"]
    assert bounty["held_by"] == done.result["transfer"]["id"]
    assert (bounty["state"], bounty["creator"]) == ("open", str(creator))


def test_who_has_too_few_credits_makes_no_bounty(session):
    creator = make_user(session).id
    fund(session, str(creator))
    asked = creation(creator, reward=4, participants_max=3)
    (done,) = create(session, asked)

    assert isinstance(done.refusal, InsufficientCredits)
    assert (balance_of(session, creator), held(session, asked.id)) == (10, 0)
    with pytest.raises(keeping.NoSuchBounty):
        keeping.find(session, asked.id)


def test_several_that_are_made_together_spend_credits_once(session):
    creator = make_user(session).id
    fund(session, str(creator))
    asked = [creation(creator, reward=3, participants_max=2) for _ in range(3)]
    done = create(session, *asked)

    assert [one.refusal is None for one in done] == [True, False, False]
    assert balance_of(session, creator) == 4


def test_a_nonce_is_good_for_one_bounty(session):
    creator = make_user(session).id
    fund(session, str(creator), times=2)
    asked = [creation(creator, nonce="once", reward=1) for _ in range(2)]
    first, second = create(session, *asked)

    assert first.refusal is None
    assert isinstance(second.refusal, IdempotencyKeyReused)
    assert balance_of(session, creator) == 18


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"expires_at": NOW.isoformat()}, "expires_too_early"),
        ({"proposal_id": str(uuid7())}, "no_such_proposal"),
    ],
)
def test_a_bounty_that_makes_no_sense_takes_nothing(session, wrong, code):
    creator = make_user(session).id
    fund(session, str(creator))
    (done,) = create(session, creation(creator, **wrong))

    assert done.refusal.code == code
    assert balance_of(session, creator) == 10


def test_who_is_accepted_is_paid_once_whoever_accepts_however_often(session):
    bounty = make_bounty(session)
    person = claim(session, bounty)
    batch = [acceptance(session, bounty, person) for _ in range(3)]
    done = holding.pay(session, batch, lane=make_lane(), now=NOW)
    done.append(pay(session, bounty, person))
    close(session, bounty)
    done.append(pay(session, bounty, person))

    assert {one.result["transfer"]["id"] for one in done} == {
        done[0].result["claim"]["paid_by"]
    }
    assert balance_of(session, person) == 5
    assert held(session, bounty) == 0


def test_who_has_claimed_nothing_or_was_rejected_is_not_paid(session):
    bounty = make_bounty(session)
    judge = keeping.find(session, bounty).row.creator
    person = claim(session, bounty)
    claiming.reject(session, bounty, person, judge=judge, now=NOW)
    told = [
        pay(session, bounty, one).refusal.code
        for one in (person, make_user(session).id)
    ]

    assert told == ["claim_rejected", "no_such_claim"]
    assert held(session, bounty) == 10


def test_what_is_left_goes_back_when_a_bounty_is_closed(session):
    bounty = make_bounty(session, reward=5, participants_max=4)
    creator = keeping.find(session, bounty).row.creator
    pay(session, bounty, claim(session, bounty))
    done, again = close(session, bounty), close(session, bounty)

    assert balance_of(session, creator) == 15
    assert held(session, bounty) == 0
    assert done.result == again.result
    assert done.result["bounty"]["state"] == "closed"
    assert done.result["bounty"]["held"] == 0
    assert done.result["bounty"]["refunded_by"]


def test_a_bounty_of_which_all_is_paid_closes_without_a_transfer(session):
    bounty = make_bounty(session, participants_max=1)
    pay(session, bounty, claim(session, bounty))
    done = close(session, bounty)

    assert done.result["bounty"]["refunded_by"] is None
    assert done.result["bounty"]["closed_at"]


def test_one_that_is_closed_twice_in_a_batch_returns_its_credits_once(session):
    bounties = [make_bounty(session) for _ in range(2)]
    asked = [
        make_claim(holding.CLOSE, {"bounty_id": str(one), "nonce": str(uuid7())})
        for one in (*bounties, *bounties, uuid7())
    ]
    done = holding.close(session, asked, lane=make_lane(), now=NOW)

    assert [one.refusal is None for one in done] == [True] * 4 + [False]
    assert [held(session, one) for one in bounties] == [0, 0]
    assert audit.faults(session) == []


def test_nothing_goes_back_while_a_claim_waits_for_a_week_past_its_time(session):
    bounty = make_bounty(session)
    claim(session, bounty)
    end = EXPIRES + JUDGED_WITHIN
    early = close(session, bounty, now=end - timedelta(microseconds=1))
    late = close(session, bounty, now=end)

    assert early.refusal.code == "claims_pending"
    assert late.result["bounty"]["state"] == "closed"


def test_a_claim_that_waited_too_long_is_not_paid(session):
    bounty = make_bounty(session)
    person = claim(session, bounty)
    end = EXPIRES + JUDGED_WITHIN
    close(session, bounty, now=end)

    assert pay(session, bounty, person, now=end).refusal.code == "bounty_closed"


def test_a_claim_that_came_in_time_is_paid_after_it(session):
    bounty = make_bounty(session)
    person = claim(session, bounty, now=EXPIRES - timedelta(microseconds=1))

    assert pay(session, bounty, person, now=EXPIRES).refusal is None


@pytest.mark.parametrize("what", ["held", "paid"])
def test_no_reversal_touches_what_a_bounty_holds(session, what):
    bounty = make_bounty(session)
    paid = pay(session, bounty, claim(session, bounty)).result["transfer"]["id"]
    kept = str(keeping.find(session, bounty).row.held_by)
    payload = {
        "transfer_id": {"held": kept, "paid": paid}[what],
        "nonce": str(uuid7()),
        "reason": "a slip",
    }
    asked = make_claim(writes.REVERSE_TRANSFER, payload)
    (done,) = writes.reverse(session, [asked], lane=make_lane(), now=NOW)

    assert done.refusal.code == "not_reversible"
    assert held(session, bounty) == 5


def test_bounties_are_found_by_their_state(session):
    creator = make_user(session).id
    open_, full, expired, closed = (
        make_bounty(session, creator, participants_max=1, expires_at=at.isoformat())
        for at in (EXPIRES, EXPIRES, NOW + timedelta(hours=1), EXPIRES)
    )
    claim(session, full)
    close(session, closed)
    then = NOW + timedelta(hours=1)

    def found(state, now=then):
        page = keeping.page(
            session, creator=creator, state=state, start=None, limit=9, now=now
        )
        return [row.Bounty.id for row in page.items]

    assert [found(state) for state in State] == [[open_], [full], [expired], [closed]]
    assert found(None) == [closed, expired, full, open_]
    assert found(State.OPEN, NOW) == [expired, open_]
    standings = [keeping.find(session, one) for one in found(None)]
    assert [one.state(then) for one in standings] == [*State][::-1]


def test_what_is_overdue_waits_for_nobody_or_has_waited(session):
    quiet, asked, later = (
        make_bounty(session, expires_at=at.isoformat())
        for at in (EXPIRES, EXPIRES, EXPIRES + timedelta(days=1))
    )
    claim(session, asked)

    def overdue(now):
        found = keeping.overdue(session, count=1_000, now=now)
        return {quiet, asked, later} & {one.id for one in found}

    assert overdue(EXPIRES - timedelta(microseconds=1)) == set()
    assert overdue(EXPIRES) == {quiet}
    assert overdue(EXPIRES + JUDGED_WITHIN) == {quiet, asked, later}
    close(session, quiet, now=EXPIRES)
    assert overdue(EXPIRES) == set()
