from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from domain.apps import applications
from domain.errors import IdempotencyKeyReused
from domain.ids import uuid7
from domain.ledger import (
    AlreadyClaimed,
    Batch,
    InsufficientCredits,
    Posted,
    SameAccount,
    UnknownOperation,
    balance,
    post,
)
from tests.factories import (
    NOW,
    fund,
    make_operation,
    make_origin,
    make_owner,
    make_transfer,
    post_one,
)

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def origin():
    return make_origin()


def balance_of(session, owner, application="commons", at=None):
    found = balance(session, application=application, owner=owner, at=at)
    return found.balance, found.version


def stored(session, *, nonce):
    count = sa.text("SELECT count(*) FROM transfers WHERE nonce = :nonce")
    return session.scalar(count, {"nonce": nonce})


def test_credits_are_issued_to_their_owner(session, owner):
    decision = post_one(session, make_operation(owner=owner, operation="CREDIT_ADD"))

    assert (decision.balance, decision.replayed) == (10, False)
    assert balance_of(session, owner) == (10, 1)


def test_credits_spent_go_to_the_treasury(session, owner, origin):
    before, _ = balance_of(session, "@treasury")
    fund(session, owner)
    decision = post_one(
        session, make_operation(origin, owner=owner, operation="CREDIT_SPEND")
    )

    assert decision.transfer.credit_owner == "@treasury"
    assert decision.balance == 9
    assert balance_of(session, "@treasury")[0] == before + 1


def test_a_transfer_moves_credits_between_owners(session, owner):
    friend = make_owner("friend")
    fund(session, owner)
    decision = post_one(session, make_transfer(source=owner, target=friend, amount=4))

    assert decision.balance == 6
    assert balance_of(session, owner) == (6, 2)
    assert balance_of(session, friend) == (4, 1)


def test_a_transfer_remembers_both_sides_after_it(session, owner):
    friend = make_owner("friend")
    fund(session, owner)
    row = post_one(
        session, make_transfer(source=owner, target=friend, amount=4)
    ).transfer

    assert (row.debit_owner, row.debit_balance, row.debit_version) == (owner, 6, 2)
    assert (row.credit_owner, row.credit_balance, row.credit_version) == (friend, 4, 1)


def test_an_operation_worth_nothing_is_recorded_all_the_same(session, owner):
    origin = make_origin(application="content")
    decision = post_one(
        session, make_operation(origin, owner=owner, operation="CONTENT_ACCESS")
    )

    assert (decision.transfer.amount, decision.balance) == (0, 0)
    assert balance_of(session, owner, "content") == (0, 1)


def test_an_owner_is_another_in_another_application(session, owner):
    fund(session, owner, origin=make_origin(application="content"))

    assert balance_of(session, owner, "content") == (10, 1)
    assert balance_of(session, owner, "commons") == (0, 0)


@pytest.mark.parametrize(
    "name", ["Zoë", "名前", "o'; DROP TABLE jobs; --", '"\\', "a/b", " ", "💰", "%s:x"]
)
def test_an_owner_may_have_any_name(session, name):
    fund(session, name)

    assert balance_of(session, name) == (10, 1)


def test_an_operation_the_application_lacks_is_refused_by_name(owner):
    with pytest.raises(UnknownOperation, match="'CONTENT_ACCESS'; it has DAILY_REWARD"):
        make_operation(owner=owner, operation="CONTENT_ACCESS")


def test_a_transfer_to_oneself_is_refused(owner):
    with pytest.raises(SameAccount):
        make_transfer(source=owner, target=owner)


def test_more_than_there_is_cannot_be_spent(session, owner):
    fund(session, owner)
    posting = make_transfer(source=owner, target=make_owner(), amount=11)
    refusal = post_one(session, posting)

    assert isinstance(refusal, InsufficientCredits)
    assert refusal.fields == {"available": 10, "needed": 11}
    assert balance_of(session, owner) == (10, 1)


def test_an_owner_without_account_has_nothing_to_spend(session, owner):
    refusal = post_one(session, make_operation(owner=owner, operation="CREDIT_SPEND"))

    assert refusal.fields == {"available": 0, "needed": 1}
    assert balance_of(session, owner) == (0, 0)


def test_a_refused_write_does_not_count_as_an_update_of_the_owner(session, owner):
    post_one(session, make_operation(owner=owner, operation="CREDIT_SPEND"))

    found = balance(session, application="commons", owner=owner)
    assert found.last_updated is None


def test_everything_there_is_can_be_spent(session, owner):
    fund(session, owner)
    posting = make_transfer(source=owner, target=make_owner(), amount=10)

    assert post_one(session, posting).balance == 0


def test_amounts_beyond_what_a_float_can_count_are_exact(session, owner, origin):
    friend, most = make_owner(), 2**53
    accounts = sa.text("UPDATE accounts SET balance = :balance WHERE owner = :owner")
    fund(session, owner)
    session.execute(accounts, {"balance": most + 1, "owner": owner})
    post_one(session, make_transfer(origin, source=owner, target=friend, amount=most))

    assert balance_of(session, owner)[0] == 1
    assert balance_of(session, friend)[0] == most


def test_refused_writes_leave_no_transfer(session, owner):
    post_one(
        session, make_operation(owner=owner, operation="CREDIT_SPEND", nonce=owner)
    )

    assert stored(session, nonce=owner) == 0


# Once


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


def test_once_only_claims_of_different_owners_never_meet(session):
    """Owners whose names look like the keys of others."""
    names = ["ada", "ada/2026-11-20", "commons/ada", "ada/2026-11-20/2026-11-20", "/"]
    for owner in names:
        assert reward(session, owner, NOW)
        post_one(session, make_operation(owner=owner, operation="SIGNUP_CREDIT"))

    assert [balance_of(session, owner)[0] for owner in names] == [4] * 5


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


# Replay


def test_the_same_write_again_is_the_first_answer(session, owner, origin):
    posting = make_operation(origin, owner=owner)
    first = post_one(session, posting)
    fund(session, owner)
    again = post_one(session, posting, now=NOW + DAY)

    assert again == first._replace(replayed=True)
    assert balance_of(session, owner) == (20, 2)


def test_the_same_write_twice_in_one_batch_is_applied_once(session, owner, origin):
    posting = make_operation(origin, owner=owner)
    first, second = post(session, [Batch([posting, posting])], now=NOW)[0]

    assert (first.replayed, second.replayed) == (False, True)
    assert balance_of(session, owner) == (10, 1)


def test_the_same_write_from_another_lane_and_job_is_a_replay(session, owner):
    principal = uuid7()
    made = [
        post_one(
            session,
            make_operation(make_origin(principal=principal), owner=owner, nonce="n"),
        )
        for _ in "ab"
    ]

    assert [decision.replayed for decision in made] == [False, True]
    assert made[0].transfer == made[1].transfer


def test_a_replay_comes_before_the_once_only_rule(session, owner, origin):
    posting = make_operation(origin, owner=owner, operation="SIGNUP_CREDIT")
    post_one(session, posting)

    assert post_one(session, posting).replayed


def test_a_replay_comes_before_the_question_of_credits(session, owner, origin):
    fund(session, owner)
    posting = make_transfer(origin, source=owner, target=make_owner(), amount=10)
    post_one(session, posting)

    assert post_one(session, posting).replayed


def test_a_refused_write_may_be_tried_again(session, owner, origin):
    posting = make_operation(origin, owner=owner, operation="CREDIT_SPEND")
    refused = post_one(session, posting)
    fund(session, owner)
    applied = post_one(session, posting)

    assert isinstance(refused, InsufficientCredits)
    assert (applied.balance, applied.replayed) == (9, False)


def test_a_nonce_names_one_body_only(session, owner, origin):
    friend = make_owner("friend")
    fund(session, owner, times=3)
    fund(session, friend, times=3)
    given = {"source": owner, "target": friend, "amount": 2, "metadata": {"a": 1}}
    post_one(session, make_transfer(origin, nonce="n", **given))
    others = [
        make_transfer(origin, nonce="n", **given | {"amount": 3}),
        make_transfer(origin, nonce="n", **given | {"target": make_owner()}),
        make_transfer(origin, nonce="n", **given | {"source": make_owner()}),
        make_transfer(origin, nonce="n", **given | {"source": friend, "target": owner}),
        make_transfer(origin, nonce="n", **given | {"metadata": None}),
        make_transfer(origin, nonce="n", **given | {"metadata": {"a": 2}}),
        make_operation(origin, nonce="n", owner=owner, operation="CREDIT_SPEND"),
    ]

    decisions = [post_one(session, posting) for posting in others]
    assert [type(decision) for decision in decisions] == [IdempotencyKeyReused] * 7
    assert balance_of(session, owner)[0] == 28


def test_a_nonce_of_another_principal_is_another_write(session, owner):
    made = [post_one(session, make_operation(owner=owner, nonce="n")) for _ in "ab"]

    assert [decision.replayed for decision in made] == [False, False]
    assert balance_of(session, owner) == (20, 2)


def test_a_nonce_in_another_application_is_another_write(session, owner):
    principal = uuid7()
    for application in ("commons", "content"):
        origin = make_origin(application=application, principal=principal)
        posting = make_operation(origin, owner=owner, nonce="n")

        assert not post_one(session, posting).replayed


# What a database can store: the API refuses the rest.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
scalars = st.none() | st.booleans() | st.integers() | texts
metadata = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=8,
)


@given(metadata)
@example(1e25)
@example({"a": [-0.0, 1.0, 5e-324, 1.7976931348623157e308, 0.1]})
def test_whatever_the_metadata_the_same_write_again_is_a_replay(session, given):
    posting = make_operation(owner="ada", metadata=given)
    post_one(session, posting)

    assert post_one(session, posting).replayed


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), ("1", 1), (1, 2)])
def test_metadata_of_another_kind_is_another_body(session, one, other):
    origin = make_origin()
    post_one(session, make_operation(origin, owner="ada", nonce="n", metadata=[one]))
    again = make_operation(origin, owner="ada", nonce="n", metadata=[other])

    assert isinstance(post_one(session, again), IdempotencyKeyReused)


# Batches


def test_postings_are_decided_one_after_another_in_the_order_given(session, owner):
    origin, friend = make_origin(), make_owner("friend")
    spend = make_transfer(origin, source=owner, target=friend, amount=10)
    earn = make_operation(origin, owner=owner)
    decisions = post(session, [Batch([spend, earn, spend])], now=NOW)[0]

    assert isinstance(decisions[0], InsufficientCredits)
    assert [decision.balance for decision in decisions[1:]] == [10, 0]


def test_an_atomic_batch_applies_whole(session, owner, origin):
    postings = [make_operation(origin, owner=owner) for _ in range(3)]
    decisions = post(session, [Batch(postings, atomic=True)], now=NOW)[0]

    assert [decision.balance for decision in decisions] == [10, 20, 30]


def everything_of(session, *owners):
    accounts = sa.text("SELECT * FROM accounts WHERE owner = ANY(:owners) ORDER BY id")
    return session.execute(accounts, {"owners": list(owners)}).all()


def test_an_atomic_batch_refused_leaves_nothing(session, owner, origin):
    friend = make_owner("friend")
    fund(session, owner, origin=origin)
    fund(session, friend, origin=origin)
    before = everything_of(session, owner, friend, "@issuance", "@treasury")
    postings = [
        make_operation(origin, owner=owner, nonce="first"),
        make_operation(origin, owner=owner, operation="SIGNUP_CREDIT", nonce="second"),
        make_transfer(origin, source=owner, target=friend, amount=99, nonce="third"),
    ]
    decisions = post(session, [Batch(postings, atomic=True)], now=NOW + DAY)[0]

    assert isinstance(decisions[2], InsufficientCredits)
    assert everything_of(session, owner, friend, "@issuance", "@treasury") == before
    assert stored(session, nonce="first") == stored(session, nonce="second") == 0


def test_what_an_atomic_batch_gave_back_can_be_had_by_the_next(session, owner, origin):
    signup = make_operation(origin, owner=owner, operation="SIGNUP_CREDIT")
    spend = make_transfer(origin, source=owner, target=make_owner(), amount=4)
    refused, applied = post(
        session, [Batch([signup, spend], atomic=True), Batch([signup, signup])], now=NOW
    )

    assert isinstance(refused[1], InsufficientCredits)
    assert [decision.replayed for decision in applied] == [False, True]
    assert balance_of(session, owner) == (3, 1)


def test_an_unreadable_entry_refuses_an_atomic_batch(session, owner, origin):
    batch = Batch(
        [make_operation(origin, owner=owner), UnknownOperation()], atomic=True
    )
    decisions = post(session, [batch], now=NOW)[0]

    assert isinstance(decisions[1], UnknownOperation)
    assert balance_of(session, owner) == (0, 0)


def test_an_atomic_batch_refused_keeps_what_it_only_replayed(session, owner, origin):
    earlier = make_operation(origin, owner=owner)
    post_one(session, earlier)
    spend = make_transfer(origin, source=owner, target=make_owner(), amount=11)
    decisions = post(session, [Batch([earlier, spend], atomic=True)], now=NOW)[0]

    assert decisions[0].replayed
    assert balance_of(session, owner) == (10, 1)


def test_batches_without_postings_are_decided_too(session):
    assert post(session, [], now=NOW) == []
    assert post(session, [Batch([]), Batch([], atomic=True)], now=NOW) == [[], []]


def test_thousands_cost_no_more_statements_than_one(session, origin):
    def statements(count):
        postings = [make_operation(origin, owner=make_owner()) for _ in range(count)]
        seen = []

        def note(_connection, _cursor, statement, *_others):
            seen.append(statement)

        connection = session.connection()
        sa.event.listen(connection, "before_cursor_execute", note)
        post(session, [Batch(postings)], now=NOW)
        sa.event.remove(connection, "before_cursor_execute", note)
        return len(seen)

    assert statements(5_000) == statements(1)


# Time


def test_a_clock_that_steps_back_keeps_versions_in_order_of_time(session, owner):
    times = [NOW, NOW - DAY, NOW + SECOND, NOW - SECOND]
    made = [
        post_one(session, make_operation(owner=owner), now=now).transfer
        for now in times
    ]

    assert [row.credit_version for row in made] == [1, 2, 3, 4]
    assert [row.created_at for row in made] == [NOW, NOW, NOW + SECOND, NOW + SECOND]


def test_a_transfer_is_later_than_the_last_of_both_its_accounts(session, owner):
    friend = make_owner("friend")
    fund(session, owner, now=NOW)
    fund(session, friend, now=NOW + DAY)
    row = post_one(session, make_transfer(source=owner, target=friend)).transfer

    assert row.created_at == NOW + DAY
