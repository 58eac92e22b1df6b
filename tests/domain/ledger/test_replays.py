"""The same write again is the first answer again, and another body is refused."""

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.errors import IdempotencyKeyReused
from domain.ids import uuid7
from domain.ledger import Batch, InsufficientCredits, post
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


def test_the_same_write_again_is_the_first_answer(session, owner, origin, balance_of):
    posting = make_operation(origin, owner=owner)
    first = post_one(session, posting)
    fund(session, owner)
    again = post_one(session, posting, now=NOW + DAY)

    assert again == first._replace(replayed=True)
    assert balance_of(owner) == (20, 2)


def test_the_same_write_twice_in_one_batch_is_applied_once(
    session, owner, origin, balance_of
):
    posting = make_operation(origin, owner=owner)
    first, second = post(session, [Batch([posting, posting])], now=NOW)[0]

    assert (first.replayed, second.replayed) == (False, True)
    assert balance_of(owner) == (10, 1)


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


def test_a_nonce_names_one_body_only(session, owner, origin, balance_of):
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
    assert balance_of(owner)[0] == 28


def test_a_nonce_of_another_principal_is_another_write(session, owner, balance_of):
    made = [post_one(session, make_operation(owner=owner, nonce="n")) for _ in "ab"]

    assert [decision.replayed for decision in made] == [False, False]
    assert balance_of(owner) == (20, 2)


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
