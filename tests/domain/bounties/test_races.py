"""Payments and ends at once, as if no lane had kept them apart."""

import pytest

from domain.bounties import keeping
from tests import audit
from tests.bounties import balance_of, claim, close, held, make_bounty, pay
from tests.domain.bounties.test_claiming import at_once

TIMES = 3


def came_to(done):
    return done.refusal.code if done.refusal else "done"


@pytest.mark.parametrize("_time", range(TIMES))
def test_a_claim_accepted_many_times_at_once_is_paid_once(sessions, _time):
    with sessions.begin() as session:
        bounty = make_bounty(session)
        person = claim(session, bounty)
    told = at_once(
        sessions,
        *[lambda session: pay(session, bounty, person).result["transfer"]["id"]] * 8,
    )

    assert len(set(told)) == 1
    with sessions() as session:
        assert (balance_of(session, person), held(session, bounty)) == (5, 5)
        assert audit.faults(session) == []


@pytest.mark.parametrize("_time", range(TIMES))
def test_a_bounty_closed_many_times_at_once_returns_its_credits_once(sessions, _time):
    with sessions.begin() as session:
        bounty = make_bounty(session)
        creator = keeping.find(session, bounty).row.creator
    told = at_once(sessions, *[lambda session: came_to(close(session, bounty))] * 8)

    assert told == ["done"] * 8
    with sessions() as session:
        assert (balance_of(session, creator), held(session, bounty)) == (10, 0)
        assert audit.faults(session) == []


@pytest.mark.parametrize("_time", range(TIMES))
def test_who_is_paid_while_the_bounty_is_closed_is_paid_and_the_rest_goes_back_later(
    sessions, _time
):
    """A claim that waits keeps the bounty from being closed, until it is paid."""
    with sessions.begin() as session:
        bounty = make_bounty(session)
        person = claim(session, bounty)
    paid, closed = at_once(
        sessions,
        lambda session: came_to(pay(session, bounty, person)),
        lambda session: came_to(close(session, bounty)),
    )

    assert paid == "done"
    assert closed in {"done", "claims_pending"}
    with sessions() as session:
        left = 0 if closed == "done" else 5
        assert (balance_of(session, person), held(session, bounty)) == (5, left)
        assert audit.faults(session) == []
