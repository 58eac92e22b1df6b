"""What an owner may have once, or once a day."""

from datetime import UTC, datetime, timedelta, timezone

from domain.apps import applications
from domain.ledger import AlreadyClaimed, Batch, Posted, post
from tests.factories import (
    NOW,
    fund,
    make_operation,
    make_origin,
    make_owner,
    post_one,
)

DAY = timedelta(days=1)


def test_a_signup_credit_comes_once_whoever_asks_and_whenever(session, owner):
    first = post_one(session, make_operation(owner=owner, operation="SIGNUP_CREDIT"))
    later = make_origin(accepted_at=NOW + 400 * DAY)
    second = post_one(
        session, make_operation(later, owner=owner, operation="SIGNUP_CREDIT")
    )

    assert first.balance == 3
    assert isinstance(second, AlreadyClaimed)


def test_a_signup_credit_comes_once_within_one_batch(session, owner, origin):
    postings = [
        make_operation(origin, owner=owner, operation="SIGNUP_CREDIT") for _ in "ab"
    ]
    first, second = post(session, [Batch(postings)], now=NOW)[0]

    assert isinstance(first, Posted)
    assert isinstance(second, AlreadyClaimed)


def test_a_signup_credit_comes_once_in_each_application(session, owner):
    for application in applications():
        origin = make_origin(application=application)
        posting = make_operation(origin, owner=owner, operation="SIGNUP_CREDIT")

        assert post_one(session, posting).balance == 3


def reward(session, owner, accepted_at):
    origin = make_origin(accepted_at=accepted_at)
    posting = make_operation(origin, owner=owner, operation="DAILY_REWARD")
    return isinstance(post_one(session, posting), Posted)


def test_a_daily_reward_comes_again_at_midnight_utc(session, owner):
    midnight = datetime(2026, 11, 21, tzinfo=UTC)

    assert reward(session, owner, midnight - DAY)
    assert not reward(session, owner, midnight - timedelta(microseconds=1))
    assert reward(session, owner, midnight)
    assert not reward(session, owner, midnight + DAY - timedelta(microseconds=1))


def test_the_day_of_a_reward_is_utc_whatever_zone_the_clock_has(session, owner):
    tokyo = timezone(timedelta(hours=9))

    assert reward(session, owner, datetime(2026, 11, 20, 23, tzinfo=UTC))
    assert not reward(session, owner, datetime(2026, 11, 21, 8, tzinfo=tokyo))
    assert reward(session, owner, datetime(2026, 11, 21, 9, tzinfo=tokyo))


def test_the_day_of_a_reward_is_when_it_was_accepted_not_applied(session, owner):
    late = make_operation(make_origin(), owner=owner, operation="DAILY_REWARD")
    decision = post_one(session, late, now=NOW + DAY)

    assert decision.transfer.created_at == NOW + DAY
    assert not reward(session, owner, NOW)
    assert reward(session, owner, NOW + DAY)


def test_once_only_claims_of_different_owners_never_meet(session, balance_of):
    """Owners whose names look like the keys of others."""
    names = ["ada", "ada/2026-11-20", "commons/ada", "ada/2026-11-20/2026-11-20", "/"]
    for owner in names:
        assert reward(session, owner, NOW)
        post_one(session, make_operation(owner=owner, operation="SIGNUP_CREDIT"))

    assert [balance_of(owner)[0] for owner in names] == [4] * 5


def test_every_operation_declared_once_only_is_refused_a_second_time(session):
    for application, enum in applications().items():
        for member in (m for m in enum if m.terms.once):
            owner, origin = make_owner(), make_origin(application=application)
            fund(session, owner, origin=origin)
            decisions = [
                post_one(
                    session, make_operation(origin, owner=owner, operation=member.name)
                )
                for _ in "ab"
            ]

            assert [type(d) for d in decisions] == [Posted, AlreadyClaimed]
