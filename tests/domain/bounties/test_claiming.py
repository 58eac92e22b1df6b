"""Who says to have done it, and whether the creator agrees."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from domain import roles
from domain.bounties import claiming, keeping
from domain.bounties.claiming import (
    BountyClosed,
    BountyFull,
    ClaimedBefore,
    ClaimPaid,
    ClaimRejected,
    NoSuchClaim,
    OwnBounty,
)
from domain.bounties.keeping import NotYourBounty
from domain.errors import DomainError
from tests import audit
from tests.bounties import EXPIRES, claim, close, held, make_bounty, pay
from tests.factories import NOW, make_user

MANY = 12


def reject(session, bounty, person, judge):
    return claiming.reject(session, bounty, person, judge=judge, now=NOW)


def test_so_many_claim_as_there_are_rewards(session):
    bounty = make_bounty(session, participants_max=2)
    claim(session, bounty)
    claim(session, bounty)

    with pytest.raises(BountyFull):
        claim(session, bounty)


def test_a_rejected_claim_makes_room_for_another_person(session):
    bounty = make_bounty(session, participants_max=1)
    creator = keeping.find(session, bounty).row.creator
    person = claim(session, bounty)
    reject(session, bounty, person, creator)

    with pytest.raises(ClaimedBefore):
        claim(session, bounty, person)
    assert claim(session, bounty)


def test_the_creator_claims_nothing_and_nobody_twice(session):
    bounty = make_bounty(session)
    person = claim(session, bounty)

    with pytest.raises(OwnBounty):
        claim(session, bounty, keeping.find(session, bounty).row.creator)
    with pytest.raises(ClaimedBefore):
        claim(session, bounty, person)


def test_nothing_is_claimed_past_its_time_or_its_end(session):
    expired, closed = make_bounty(session), make_bounty(session)
    close(session, closed)

    with pytest.raises(BountyClosed):
        claim(session, expired, now=EXPIRES)
    with pytest.raises(BountyClosed):
        claim(session, closed)


def test_the_creator_and_operators_judge(session):
    bounty, operator = make_bounty(session), make_user(session).id
    roles.grant(session, operator, "operator", by=None, ends_at=None, now=NOW)
    one, other = claim(session, bounty), claim(session, bounty)

    with pytest.raises(NotYourBounty):
        reject(session, bounty, one, other)
    assert reject(session, bounty, one, operator).rejected_at == NOW
    creator = keeping.find(session, bounty).row.creator
    assert reject(session, bounty, other, creator).rejected_at == NOW


def test_what_was_paid_is_not_rejected_and_a_rejection_stays(session):
    bounty = make_bounty(session)
    creator = keeping.find(session, bounty).row.creator
    paid, rejected = claim(session, bounty), claim(session, bounty)
    pay(session, bounty, paid)
    first = reject(session, bounty, rejected, creator)

    with pytest.raises(ClaimPaid):
        reject(session, bounty, paid, creator)
    with pytest.raises(NoSuchClaim):
        reject(session, bounty, make_user(session).id, creator)
    again = claiming.reject(session, bounty, rejected, judge=creator, now=EXPIRES)
    assert again.rejected_at == first.rejected_at == NOW


def at_once(sessions, *deeds):
    """Do each in a transaction of its own at the same moment."""
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


@pytest.mark.parametrize("_time", range(3))
def test_of_many_who_claim_at_once_no_more_get_in_than_there_are_rewards(
    sessions, _time
):
    with sessions.begin() as session:
        bounty = make_bounty(session, participants_max=3)
        people = [make_user(session).id for _ in range(MANY)]

    def claiming_it(person):
        return lambda session: claim(session, bounty, person)

    told = at_once(sessions, *map(claiming_it, people))

    assert len(set(told) & set(people)) == 3
    assert told.count("bounty_full") == MANY - 3


@pytest.mark.parametrize("_time", range(3))
def test_one_person_who_claims_many_times_at_once_has_one_claim(sessions, _time):
    with sessions.begin() as session:
        bounty = make_bounty(session, participants_max=5)
        person = make_user(session).id
    told = at_once(sessions, *[lambda session: claim(session, bounty, person)] * MANY)

    assert sorted(map(str, told)) == sorted(
        [str(person)] + ["claimed_before"] * (MANY - 1)
    )


@pytest.mark.parametrize("_time", range(5))
def test_a_claim_that_is_accepted_and_rejected_at_once_is_one_of_both(sessions, _time):
    with sessions.begin() as session:
        bounty = make_bounty(session)
        person = claim(session, bounty)
        creator = keeping.find(session, bounty).row.creator

    def accept(session):
        done = pay(session, bounty, person)
        return done.refusal.code if done.refusal else "paid"

    def turn_down(session):
        reject(session, bounty, person, creator)
        return "rejected"

    told = at_once(sessions, accept, turn_down)

    assert told in (["paid", ClaimPaid.code], [ClaimRejected.code, "rejected"])
    with sessions() as session:
        assert held(session, bounty) == keeping.find(session, bounty).held
        assert audit.faults(session) == []
