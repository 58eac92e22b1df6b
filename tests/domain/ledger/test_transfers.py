from datetime import timedelta

import pytest
import sqlalchemy as sa

from domain.ledger import (
    Batch,
    InsufficientCredits,
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


def stored(session, *, nonce):
    count = sa.text("SELECT count(*) FROM transfers WHERE nonce = :nonce")
    return session.scalar(count, {"nonce": nonce})


def test_credits_are_issued_to_their_owner(session, owner, balance_of):
    decision = post_one(session, make_operation(owner=owner, operation="CREDIT_ADD"))

    assert (decision.balance, decision.replayed) == (10, False)
    assert balance_of(owner) == (10, 1)


def test_credits_spent_go_to_the_treasury(session, owner, origin, balance_of):
    before, _ = balance_of("@treasury")
    fund(session, owner)
    decision = post_one(
        session, make_operation(origin, owner=owner, operation="CREDIT_SPEND")
    )

    assert decision.transfer.credit_owner == "@treasury"
    assert decision.balance == 9
    assert balance_of("@treasury")[0] == before + 1


def test_a_transfer_moves_credits_between_owners(session, owner, balance_of):
    friend = make_owner("friend")
    fund(session, owner)
    decision = post_one(session, make_transfer(source=owner, target=friend, amount=4))

    assert decision.balance == 6
    assert balance_of(owner) == (6, 2)
    assert balance_of(friend) == (4, 1)


def test_a_transfer_remembers_both_sides_after_it(session, owner):
    friend = make_owner("friend")
    fund(session, owner)
    row = post_one(
        session, make_transfer(source=owner, target=friend, amount=4)
    ).transfer

    assert (row.debit_owner, row.debit_balance, row.debit_version) == (owner, 6, 2)
    assert (row.credit_owner, row.credit_balance, row.credit_version) == (friend, 4, 1)


def test_an_operation_worth_nothing_is_recorded_all_the_same(
    session, owner, balance_of
):
    origin = make_origin(application="content")
    decision = post_one(
        session, make_operation(origin, owner=owner, operation="CONTENT_ACCESS")
    )

    assert (decision.transfer.amount, decision.balance) == (0, 0)
    assert balance_of(owner, "content") == (0, 1)


def test_an_owner_is_another_in_another_application(session, owner, balance_of):
    fund(session, owner, origin=make_origin(application="content"))

    assert balance_of(owner, "content") == (10, 1)
    assert balance_of(owner, "commons") == (0, 0)


@pytest.mark.parametrize(
    "name", ["Zoë", "名前", "o'; DROP TABLE jobs; --", '"\\', "a/b", " ", "💰", "%s:x"]
)
def test_an_owner_may_have_any_name(session, name, balance_of):
    fund(session, name)

    assert balance_of(name) == (10, 1)


def test_an_operation_the_application_lacks_is_refused_by_name(owner):
    with pytest.raises(UnknownOperation, match="'CONTENT_ACCESS'; it has DAILY_REWARD"):
        make_operation(owner=owner, operation="CONTENT_ACCESS")


def test_a_transfer_to_oneself_is_refused(owner):
    with pytest.raises(SameAccount):
        make_transfer(source=owner, target=owner)


def test_more_than_there_is_cannot_be_spent(session, owner, balance_of):
    fund(session, owner)
    posting = make_transfer(source=owner, target=make_owner(), amount=11)
    refusal = post_one(session, posting)

    assert isinstance(refusal, InsufficientCredits)
    assert refusal.fields == {"available": 10, "needed": 11}
    assert balance_of(owner) == (10, 1)


def test_an_owner_without_account_has_nothing_to_spend(session, owner, balance_of):
    refusal = post_one(session, make_operation(owner=owner, operation="CREDIT_SPEND"))

    assert refusal.fields == {"available": 0, "needed": 1}
    assert balance_of(owner) == (0, 0)


def test_a_refused_write_does_not_count_as_an_update_of_the_owner(session, owner):
    post_one(session, make_operation(owner=owner, operation="CREDIT_SPEND"))

    found = balance(session, application="commons", owner=owner)
    assert found.last_updated is None


def test_everything_there_is_can_be_spent(session, owner):
    fund(session, owner)
    posting = make_transfer(source=owner, target=make_owner(), amount=10)

    assert post_one(session, posting).balance == 0


def test_amounts_beyond_what_a_float_can_count_are_exact(
    session, owner, origin, balance_of
):
    friend, most = make_owner(), 2**53
    accounts = sa.text("UPDATE accounts SET balance = :balance WHERE owner = :owner")
    fund(session, owner)
    session.execute(accounts, {"balance": most + 1, "owner": owner})
    post_one(session, make_transfer(origin, source=owner, target=friend, amount=most))

    assert balance_of(owner)[0] == 1
    assert balance_of(friend)[0] == most


def test_refused_writes_leave_no_transfer(session, owner):
    post_one(
        session, make_operation(owner=owner, operation="CREDIT_SPEND", nonce=owner)
    )

    assert stored(session, nonce=owner) == 0


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


def test_what_an_atomic_batch_gave_back_can_be_had_by_the_next(
    session, owner, origin, balance_of
):
    signup = make_operation(origin, owner=owner, operation="SIGNUP_CREDIT")
    spend = make_transfer(origin, source=owner, target=make_owner(), amount=4)
    refused, applied = post(
        session, [Batch([signup, spend], atomic=True), Batch([signup, signup])], now=NOW
    )

    assert isinstance(refused[1], InsufficientCredits)
    assert [decision.replayed for decision in applied] == [False, True]
    assert balance_of(owner) == (3, 1)


def test_an_unreadable_entry_refuses_an_atomic_batch(
    session, owner, origin, balance_of
):
    batch = Batch(
        [make_operation(origin, owner=owner), UnknownOperation()], atomic=True
    )
    decisions = post(session, [batch], now=NOW)[0]

    assert isinstance(decisions[1], UnknownOperation)
    assert balance_of(owner) == (0, 0)


def test_an_atomic_batch_refused_keeps_what_it_only_replayed(
    session, owner, origin, balance_of
):
    earlier = make_operation(origin, owner=owner)
    post_one(session, earlier)
    spend = make_transfer(origin, source=owner, target=make_owner(), amount=11)
    decisions = post(session, [Batch([earlier, spend], atomic=True)], now=NOW)[0]

    assert decisions[0].replayed
    assert balance_of(owner) == (10, 1)


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
