"""What takes credits of those who demand to sign it is signed by them (RFC 9421)."""

import json
import re
import time

import pytest

from api.signatures import SKEW_SECONDS
from tests.api.calling import NDJSON, make_nonce, operation, transfer
from tests.api.holders import (
    INVALID,
    REQUIRED,
    TRANSFERS,
    Signer,
    refusal,
    send,
)
from tests.databases import ROOT
from tests.factories import make_owner


def test_what_the_holder_signs_is_accepted(holder):
    assert send(holder, holder.spend(), signer=holder.own).status_code == 202


def test_what_the_holder_does_not_sign_is_refused(holder):
    answer = send(holder, holder.spend())

    assert refusal(answer) == REQUIRED
    assert answer.headers["Accept-Signature"] == (
        'sig=("@method" "@path" "@query" "content-digest");created;alg="ed25519";'
        'tag="commons"'
    )


def test_an_application_takes_nothing_without_the_holders_signature(holder, caller):
    assert refusal(send(caller, holder.spend())) == REQUIRED
    assert send(caller, holder.spend(), signer=holder.own).status_code == 202


def test_the_example_of_the_documentation_signs(holder):
    (example,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL
    )
    said = {}
    exec(example, said)  # noqa: S102
    raw = json.dumps(holder.spend()).encode()

    signed = said["signature"](
        holder.own.private_key, holder.own.wallet, "POST", TRANSFERS, raw
    )

    assert holder.post(TRANSFERS, raw, headers=signed).status_code == 202


def test_what_is_refused_is_not_stored(holder, caller, stored_jobs):
    before = stored_jobs()
    send(caller, holder.spend())
    send(caller, holder.spend(), signer=Signer(holder.own.wallet))

    assert stored_jobs() == before


@pytest.mark.parametrize("name", ["CREDIT_ADD", "DAILY_REWARD", "SIGNUP_CREDIT"])
def test_what_gives_needs_no_signature(holder, caller, name):
    assert caller.post("/ledger", operation(str(holder.id), name)).status_code == 202


def test_receiving_needs_no_signature(holder, caller):
    answer = caller.post(TRANSFERS, transfer(make_owner(), str(holder.id)))

    assert answer.status_code == 202


def test_others_need_no_signature(holder, caller, person):
    assert send(caller, transfer(make_owner(), make_owner())).status_code == 202
    assert send(person, transfer(str(person.id), make_owner())).status_code == 202


def test_spending_needs_a_signature(holder, caller):
    body = operation(str(holder.id), "CREDIT_SPEND")

    assert refusal(send(caller, body, path="/ledger")) == REQUIRED
    signed = send(caller, body, path="/ledger", signer=holder.own)
    assert signed.status_code == 202


def test_content_that_costs_needs_a_signature(holder, new_caller):
    author = new_caller(application="content")
    body = {"owner_id": str(holder.id), "nonce": make_nonce()}

    assert refusal(send(author, body, path="/content")) == REQUIRED
    signed = send(author, body, path="/content", signer=holder.own, tag="content")
    assert signed.status_code == 202


def test_a_correction_needs_no_signature(holder, caller, worker):
    caller.fund(str(holder.id))
    body = operation(str(holder.id), "CREDIT_ADD")
    made = caller.done("/ledger", body).json["transfer"]["id"]

    answer = caller.post(
        f"/ledger/transfers/{made}/reversal", {"nonce": make_nonce(), "reason": "r"}
    )

    assert answer.status_code == 202


# Batches


def batch(*entries, **fields):
    return {"entries": list(entries), **fields}


@pytest.mark.parametrize("atomic", [True, False])
def test_a_batch_that_takes_needs_a_signature(holder, caller, atomic):
    others = transfer(make_owner(), make_owner())
    body = batch(others, holder.spend(), atomic=atomic)

    assert refusal(send(caller, body, path="/ledger/batches")) == REQUIRED
    signed = send(caller, body, path="/ledger/batches", signer=holder.own)
    assert signed.status_code == 202


def test_a_batch_that_gives_needs_none(holder, caller):
    body = batch(operation(str(holder.id)), transfer(make_owner(), str(holder.id)))

    assert caller.post("/ledger/batches", body).status_code == 202


def test_a_batch_takes_of_one_alone_who_demands_to_sign(new_holder, holder, caller):
    body = batch(holder.spend(), new_holder().spend())

    answer = send(caller, body, path="/ledger/batches", signer=holder.own)

    assert refusal(answer) == REQUIRED
    assert "batch each" in answer.json["detail"]


def test_the_query_is_signed_too(holder, caller):
    raw = json.dumps(holder.spend()).encode()
    path, query = "/ledger/batches", "atomic=true"
    plain, whole = (
        holder.own.headers("POST", path, raw, query=said) for said in ("", query)
    )

    answers = [
        caller.post(path, raw, media=NDJSON, headers=signed, query_string=query)
        for signed in (plain, whole)
    ]

    assert refusal(answers[0]) == INVALID
    assert answers[1].status_code == 202


# What is signed is what is done


def test_another_body_is_refused(holder, caller):
    raw = json.dumps(holder.spend(amount=1)).encode()
    signed = holder.own.headers("POST", TRANSFERS, raw)
    other = raw.replace(b'"amount": 1', b'"amount": 9')

    answer = caller.post(TRANSFERS, other, headers=signed)

    assert refusal(answer) == INVALID
    assert "Content-Digest" in answer.json["detail"]


def test_another_body_under_its_own_digest_is_refused(holder, caller):
    raw = json.dumps(holder.spend(amount=1)).encode()
    other = raw.replace(b'"amount": 1', b'"amount": 9')
    signed = holder.own.headers("POST", TRANSFERS, raw)
    digest = holder.own.headers("POST", TRANSFERS, other)["Content-Digest"]

    answer = caller.post(TRANSFERS, other, headers={**signed, "Content-Digest": digest})

    assert refusal(answer) == INVALID


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", TRANSFERS), ("POST", "/ledger"), ("POST", "/")]
)
def test_the_signature_of_another_request_is_refused(holder, caller, method, path):
    raw = json.dumps(holder.spend()).encode()
    signed = holder.own.headers(method, path, raw)

    assert refusal(caller.post(TRANSFERS, raw, headers=signed)) == INVALID


def test_the_signature_of_another_application_is_refused(holder, caller):
    answer = send(caller, holder.spend(), signer=holder.own, tag="content")

    assert refusal(answer) == INVALID
    assert "commons" in answer.json["detail"]


def test_an_idempotency_key_in_the_header_is_signed_too(holder, caller):
    body = holder.spend()
    del body["nonce"]
    raw = json.dumps(body).encode()
    key = make_nonce()
    signed = holder.own.headers("POST", TRANSFERS, raw, key=key)
    unsigned = holder.own.headers("POST", TRANSFERS, raw)
    sent = [
        {**signed, "Idempotency-Key": make_nonce()},
        {**unsigned, "Idempotency-Key": key},
        signed,
    ]

    answers = [caller.post(TRANSFERS, raw, headers=headers) for headers in sent]

    assert [refusal(answer) for answer in answers[:2]] == [INVALID] * 2
    assert answers[2].status_code == 202


# Who signs


def test_the_wallet_of_another_signs_nothing(new_holder, holder, caller):
    other = new_holder()

    assert refusal(send(caller, holder.spend(), signer=other.own)) == INVALID


def test_another_key_signs_nothing_for_a_wallet(holder, caller):
    forger = Signer(holder.own.wallet)

    assert refusal(send(caller, holder.spend(), signer=forger)) == INVALID


def test_a_wallet_signs_when_it_is_proved_and_until_it_is_removed(holder, caller):
    path = holder.wallets
    other = Signer()
    raw = json.dumps(
        {"network": "test", "address": "x", "public_key": other.public_key}
    ).encode()
    signed = holder.own.headers("POST", path, raw)
    other.wallet = holder.post(path, raw, headers=signed).json["id"]

    assert refusal(send(caller, holder.spend(), signer=other)) == INVALID
    asked = holder.post(f"{path}/{other.wallet}/challenge").json
    proof = {
        "challenge": asked["challenge"],
        "signature": other.sign(asked["message"].encode()),
    }
    proved = send(holder, proof, path=f"{path}/{other.wallet}/proof", signer=holder.own)
    assert proved.status_code == 200
    assert send(caller, holder.spend(), signer=other).status_code == 202
    gone = holder.delete(
        f"{path}/{other.wallet}",
        headers=holder.own.headers("DELETE", f"{path}/{other.wallet}", b""),
    )
    assert gone.status_code == 204
    assert refusal(send(caller, holder.spend(), signer=other)) == INVALID


# When


@pytest.mark.parametrize("away", [-SKEW_SECONDS + 20, -20, 20, SKEW_SECONDS - 20])
def test_a_clock_may_be_a_little_wrong(holder, caller, away):
    created = int(time.time()) + away

    answer = send(caller, holder.spend(), signer=holder.own, created=created)

    assert answer.status_code == 202


@pytest.mark.parametrize(
    "away", [-(10**9), -SKEW_SECONDS - 20, SKEW_SECONDS + 20, 10**9]
)
def test_a_signature_of_another_time_is_refused(holder, caller, away):
    created = int(time.time()) + away

    answer = send(caller, holder.spend(), signer=holder.own, created=created)

    assert refusal(answer) == (403, "stale_signature")
    assert abs(answer.json["clock"] - time.time()) < 20


# Again


def test_the_same_request_again_has_the_first_answer(holder, caller):
    raw = json.dumps(holder.spend()).encode()
    signed = holder.own.headers("POST", TRANSFERS, raw)

    first, again = (caller.post(TRANSFERS, raw, headers=signed) for _ in range(2))

    assert [first.status_code, again.status_code] == [202, 202]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json["id"] == first.json["id"]


def test_the_same_write_signed_later_has_the_first_answer(holder, caller):
    body, then = holder.spend(), int(time.time()) - 60

    first = send(caller, body, signer=holder.own, created=then)
    again = send(caller, body, signer=holder.own)

    assert again.json["id"] == first.json["id"]


def test_a_request_overheard_counts_for_nobody_else(holder, new_caller, worker):
    """Nonces are each principal's own: another's would be a second transfer."""
    caller, eavesdropper = new_caller(), new_caller()
    caller.fund(str(holder.id))
    raw = json.dumps(holder.spend()).encode()
    signed = holder.own.headers("POST", TRANSFERS, raw)

    first = caller.done(TRANSFERS, raw, headers=signed)
    stolen = eavesdropper.done(TRANSFERS, raw, headers=signed)

    assert first.status_code == 201
    assert refusal(stolen) == (409, "signature_used")
    assert caller.balance(str(holder.id)) == 9
