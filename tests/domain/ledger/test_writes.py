"""Ledger writes as a worker sees them: claims in, outcomes out."""

from datetime import timedelta

import pytest

from domain.errors import IdempotencyKeyReused
from domain.ids import uuid7
from domain.ledger import (
    ISSUANCE,
    TREASURY,
    AccountKey,
    AlreadyReversed,
    Batch,
    BatchRefused,
    InsufficientCredits,
    NoSuchTransfer,
    Posting,
    SameAccount,
    UnknownOperation,
    balance,
    post,
    writes,
)
from domain.ledger.writes import (
    POST_BATCH,
    POST_TRANSFER,
    REVERSE_TRANSFER,
    NotReversible,
)
from tests.factories import NOW, fund, make_claim, make_lane, make_owner

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def friend():
    return make_owner("friend")


@pytest.fixture
def apply(session):
    lane = make_lane()
    return lambda *claims: writes.apply(session, claims, lane=lane, now=NOW)


@pytest.fixture
def reverse(session):
    lane = make_lane()
    return lambda *claims: writes.reverse(session, claims, lane=lane, now=LATER)


def add(owner, **fields):
    return {
        "owner_id": owner,
        "operation": "CREDIT_ADD",
        "nonce": str(uuid7()),
    } | fields


def move(source, target, amount, **fields):
    return {
        "from": source,
        "to": target,
        "amount": amount,
        "nonce": str(uuid7()),
    } | fields


def batch(*entries, atomic=False, **fields):
    payload = {"entries": list(entries), "atomic": atomic}
    return make_claim(POST_BATCH, payload, **fields)


def reversal(transfer_id, **fields):
    payload = {
        "transfer_id": str(transfer_id),
        "nonce": fields.pop("nonce", str(uuid7())),
        "reason": fields.pop("reason", "a slip"),
    }
    return make_claim(REVERSE_TRANSFER, payload, **fields)


def balance_of(session, owner, application="commons"):
    return balance(session, application=application, owner=owner).balance


# Operations and transfers


def test_an_operation_answers_with_its_transfer_and_balance(apply, owner):
    claim = make_claim(payload=add(owner, metadata={"why": "thanks"}))
    result = apply(claim)[0].result

    transfer = result["transfer"]
    assert result["balance"] == 10
    assert transfer["credit"] == {"owner_id": owner, "balance": 10, "version": 1}
    assert transfer["operation"] == "CREDIT_ADD"
    assert transfer["metadata"] == {"why": "thanks"}
    assert transfer["job_id"] == str(claim.id)
    assert transfer["created_at"] == "2026-11-20T12:00:00+00:00"


def test_a_transfer_answers_with_the_balance_of_its_sender(session, apply, owner):
    fund(session, owner)
    claim = make_claim(POST_TRANSFER, move(owner, make_owner(), 4))

    assert apply(claim)[0].result["balance"] == 6


def test_claims_are_answered_in_their_order(apply, owner, friend):
    claims = [
        make_claim(POST_TRANSFER, move(owner, friend, 1)),
        make_claim(payload=add(owner)),
        make_claim(POST_TRANSFER, move(owner, friend, 10)),
        make_claim(POST_TRANSFER, move(friend, owner, 10)),
    ]
    outcomes = apply(*claims)

    assert [outcome.id for outcome in outcomes] == [claim.id for claim in claims]
    assert type(outcomes[0].refusal) is InsufficientCredits
    assert [outcome.result["balance"] for outcome in outcomes[1:]] == [10, 0, 0]


def test_what_cannot_be_is_refused_and_nothing_else(session, apply, owner):
    outcomes = apply(
        make_claim(payload=add(owner, operation="GIFT")),
        make_claim(POST_TRANSFER, move(owner, owner, 1)),
        make_claim(payload=add(owner)),
    )

    assert type(outcomes[0].refusal) is UnknownOperation
    assert type(outcomes[1].refusal) is SameAccount
    assert outcomes[2].result["balance"] == balance_of(session, owner) == 10


def test_a_job_without_principal_writes_nothing(session, apply, owner):
    with pytest.raises(TypeError, match="for nobody"):
        apply(make_claim(payload=add(owner), principal=None))


# Batches


def test_a_batch_lists_what_became_of_each_entry(apply, owner, friend):
    twice = add(owner)
    result = apply(
        batch(twice, move(owner, friend, 99), twice, move(owner, friend, 4))
    )[0].result

    assert result["atomic"] is False
    assert (result["applied"], result["replayed"], result["refused"]) == (2, 1, 1)
    assert [(o["index"], o["state"], o.get("balance")) for o in result["outcomes"]] == [
        (0, "applied", 10),
        (1, "refused", None),
        (2, "replayed", 10),
        (3, "applied", 6),
    ]
    assert result["outcomes"][1]["problem"]["code"] == "insufficient_credits"


def test_an_atomic_batch_refused_points_at_every_refused_entry(apply, owner, friend):
    outcome = apply(
        batch(
            add(owner),
            move(owner, friend, 99),
            add(owner, operation="GIFT"),
            atomic=True,
        )
    )[0]

    assert type(outcome.refusal) is BatchRefused
    assert [
        (error["pointer"], error["code"]) for error in outcome.refusal.fields["errors"]
    ] == [("/entries/1", "insufficient_credits"), ("/entries/2", "unknown_operation")]


def test_an_atomic_batch_refused_leaves_its_neighbours_alone(
    session, apply, owner, friend
):
    apply(
        make_claim(payload=add(owner)),
        batch(add(owner), move(owner, friend, 99), atomic=True),
        make_claim(payload=add(owner)),
    )

    assert (balance_of(session, owner), balance_of(session, friend)) == (20, 0)


def test_a_batch_and_a_single_write_of_one_nonce_are_one_write(session, apply, owner):
    principal, entry = uuid7(), add(owner)
    single, in_batch, again = apply(
        make_claim(payload=entry, principal=principal),
        batch(entry, principal=principal),
        make_claim(payload=entry, principal=principal),
    )

    assert in_batch.result["outcomes"][0]["state"] == "replayed"
    assert single.result == again.result
    assert balance_of(session, owner) == 10


def test_a_batch_cannot_use_the_nonce_of_another_write(session, apply, owner):
    principal, entry = uuid7(), add(owner)
    apply(make_claim(payload=entry, principal=principal))
    other = entry | {"operation": "SIGNUP_CREDIT"}
    refused = apply(batch(other, add(owner), principal=principal))[0].result

    assert refused["outcomes"][0]["problem"]["code"] == IdempotencyKeyReused.code
    assert refused["applied"] == 1


def test_two_principals_may_use_one_nonce(session, apply, owner):
    entry = add(owner)
    apply(make_claim(payload=entry), make_claim(payload=entry))

    assert balance_of(session, owner) == 20


# Reversals


def test_a_reversal_gives_back_what_was_moved(session, apply, reverse, owner, friend):
    fund(session, owner)
    moved = apply(make_claim(POST_TRANSFER, move(owner, friend, 4)))[0].result
    undone = reverse(reversal(moved["transfer"]["id"]))[0].result

    assert (balance_of(session, owner), balance_of(session, friend)) == (10, 0)
    assert undone["balance"] == 10
    assert undone["transfer"]["reversal_of"] == moved["transfer"]["id"]
    assert undone["transfer"]["metadata"] == {"reason": "a slip"}


def test_a_reversal_of_issued_credits_answers_with_their_owner(
    session, apply, reverse, owner
):
    issued = apply(make_claim(payload=add(owner)), make_claim(payload=add(owner)))
    undone = reverse(reversal(issued[0].result["transfer"]["id"]))[0].result

    assert undone["balance"] == balance_of(session, owner) == 10


def test_a_reversal_returns_to_the_very_lane_the_credits_came_from(
    session, apply, reverse, owner
):
    before = balance_of(session, "@issuance")
    issued = apply(make_claim(payload=add(owner)))[0].result["transfer"]
    undone = reverse(reversal(issued["id"]))[0].result["transfer"]

    assert undone["credit"]["version"] == issued["debit"]["version"] + 1
    assert balance_of(session, "@issuance") == before


def test_a_transfer_is_reversed_once(session, apply, reverse, owner, friend):
    fund(session, owner)
    moved = apply(make_claim(POST_TRANSFER, move(owner, friend, 4)))[0].result
    one = reversal(moved["transfer"]["id"])
    first, second = reverse(one, reversal(moved["transfer"]["id"]))
    third = reverse(reversal(moved["transfer"]["id"]))[0]

    assert first.refusal is None
    assert type(second.refusal) is type(third.refusal) is AlreadyReversed
    assert balance_of(session, owner) == 10


def test_the_same_reversal_again_is_a_replay(session, apply, reverse, owner, friend):
    fund(session, owner)
    moved = apply(make_claim(POST_TRANSFER, move(owner, friend, 4)))[0].result
    claim = reversal(moved["transfer"]["id"])

    assert reverse(claim)[0].result == reverse(claim)[0].result
    assert balance_of(session, owner) == 10


def test_a_reversal_with_another_reason_is_another_body(
    session, apply, reverse, owner, friend
):
    fund(session, owner)
    moved = apply(make_claim(POST_TRANSFER, move(owner, friend, 4)))[0].result
    claim = reversal(moved["transfer"]["id"], nonce="n")
    other = reversal(
        moved["transfer"]["id"], nonce="n", reason="x", principal=claim.principal
    )

    assert type(reverse(claim, other)[1].refusal) is IdempotencyKeyReused


def test_a_reversal_of_another_transfer_is_another_body(
    session, apply, reverse, owner, friend
):
    fund(session, owner)
    one, other = apply(
        make_claim(POST_TRANSFER, move(owner, friend, 4)),
        make_claim(POST_TRANSFER, move(owner, friend, 4)),
    )
    claim = reversal(one.result["transfer"]["id"], nonce="n")
    again = reversal(
        other.result["transfer"]["id"], nonce="n", principal=claim.principal
    )

    assert type(reverse(claim, again)[1].refusal) is IdempotencyKeyReused


def test_a_reversal_is_not_itself_reversed(session, apply, reverse, owner, friend):
    fund(session, owner)
    moved = apply(make_claim(POST_TRANSFER, move(owner, friend, 4)))[0].result
    undone = reverse(reversal(moved["transfer"]["id"]))[0].result

    again = reverse(reversal(undone["transfer"]["id"]))[0]
    assert type(again.refusal) is NotReversible


def test_what_the_treasury_paid_by_a_decision_is_not_reversed(session, reverse, owner):
    treasury, account = (
        AccountKey("commons", TREASURY, 7),
        AccountKey("commons", owner, 0),
    )
    sides = [(AccountKey("commons", ISSUANCE, 7), treasury), (treasury, account)]
    made = [
        Posting(
            id=uuid7(),
            job_id=uuid7(),
            operation="TRANSFER",
            debit=debit,
            credit=credit,
            amount=5,
            nonce=str(uuid7()),
            subject=credit,
        )
        for debit, credit in sides
    ]
    post(session, [Batch(made)], now=NOW)

    outcome = reverse(reversal(made[1].id))[0]

    assert type(outcome.refusal) is NotReversible
    assert "what was decided to spend" in outcome.refusal.detail
    assert balance_of(session, owner) == 5


def test_a_reversal_needs_the_credits_to_be_there_still(
    session, apply, reverse, owner, friend
):
    fund(session, owner)
    moved = apply(
        make_claim(POST_TRANSFER, move(owner, friend, 4)),
        make_claim(POST_TRANSFER, move(friend, make_owner(), 3)),
    )[0].result
    refusal = reverse(reversal(moved["transfer"]["id"]))[0].refusal

    assert type(refusal) is InsufficientCredits
    assert refusal.fields == {"available": 1, "needed": 4}


def test_a_reversal_refused_for_want_of_credits_may_be_tried_again(
    session, apply, reverse, owner, friend
):
    fund(session, owner)
    moved = apply(
        make_claim(POST_TRANSFER, move(owner, friend, 4)),
        make_claim(POST_TRANSFER, move(friend, owner, 4)),
    )[0].result
    claim = reversal(moved["transfer"]["id"])
    refused = reverse(claim)[0]
    apply(make_claim(POST_TRANSFER, move(owner, friend, 4)))

    assert refused.refusal
    assert reverse(claim)[0].result["balance"] == 10


def test_what_was_free_can_be_reversed_too(session, apply, reverse, owner):
    free = add(owner, operation="CONTENT_ACCESS")
    read = apply(make_claim(payload=free, application="content"))[0].result
    undone = reverse(reversal(read["transfer"]["id"], application="content"))[0]

    assert undone.result["transfer"]["amount"] == 0


def test_reversing_a_signup_does_not_open_another(session, apply, reverse, owner):
    signup = add(owner, operation="SIGNUP_CREDIT")
    first = apply(make_claim(payload=signup))[0].result
    reverse(reversal(first["transfer"]["id"]))
    second = apply(make_claim(payload=signup | {"nonce": "again"}))[0]

    assert second.refusal.code == "already_claimed"


@pytest.mark.parametrize("application", ["commons", "content"])
def test_what_is_not_there_or_not_yours_cannot_be_reversed(
    apply, reverse, owner, application
):
    other = apply(make_claim(payload=add(owner), application="content"))[0].result
    wanted = other["transfer"]["id"] if application == "commons" else uuid7()
    refusal = reverse(reversal(wanted, application=application))[0].refusal

    assert type(refusal) is NoSuchTransfer
