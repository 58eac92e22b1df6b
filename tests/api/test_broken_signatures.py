"""What is no signature in the one form there is (RFC 9421) is refused."""

import json
from base64 import b64encode

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.api.holders import (
    INVALID,
    TRANSFERS,
    refusal,
    send,
)

BROKEN = {
    "Signature-Input": [
        "",
        "sig1",
        "sig1=()",
        'sig1=("@method")',
        'sig1=("@method" "@path" "@query" "content-digest")',
        "x" * 5_000,
        "é",
    ],
    "Signature": [
        "",
        "sig1=::",
        "sig1=:AAAA:",
        f"sig2=:{b64encode(bytes(64)).decode()}:",
    ],
    "Content-Digest": ["", "sha-256=::", "md5=:AAAA:"],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in BROKEN for value in BROKEN[field]]
)
def test_a_broken_field_is_refused(holder, caller, field, value):
    raw = json.dumps(holder.spend()).encode()
    signed = holder.own.headers("POST", TRANSFERS, raw)

    answer = caller.post(TRANSFERS, raw, headers={**signed, field: value})

    assert refusal(answer) == INVALID


@pytest.mark.parametrize("missing", BROKEN)
def test_a_missing_field_is_refused(holder, caller, missing):
    raw = json.dumps(holder.spend()).encode()
    signed = holder.own.headers("POST", TRANSFERS, raw)
    del signed[missing]

    assert refusal(caller.post(TRANSFERS, raw, headers=signed)) == INVALID


@pytest.mark.parametrize(
    "said",
    [
        {"alg": "rsa-pss-sha512"},
        {"alg": "none"},
        {"expires": 2_000_000_000},
        {"nonce": "x"},
        {"keyid": "not-a-wallet"},
        {"keyid": 7},
        {"created": "now"},
        {"created": -1},
        {"tag": 7},
    ],
    ids=repr,
)
def test_other_parameters_are_refused(holder, caller, said):
    answer = send(caller, holder.spend(), signer=holder.own, **said)

    assert refusal(answer) == INVALID


def test_the_algorithm_may_be_named(holder, caller):
    answer = send(caller, holder.spend(), signer=holder.own, alg="ed25519")

    assert answer.status_code == 202


printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)


@given(st.lists(st.tuples(st.integers(0, 300), printable), min_size=1, max_size=3))
@settings(max_examples=100)
def test_whatever_is_written_over_the_field_it_is_refused(holder, caller, changes):
    raw = json.dumps(holder.spend()).encode()
    signed = holder.own.headers("POST", TRANSFERS, raw)
    told = signed["Signature-Input"]
    for place, text in changes:
        told = told[:place] + text + told[place + len(text) :]
    assume(told.strip() != signed["Signature-Input"])

    answer = caller.post(TRANSFERS, raw, headers={**signed, "Signature-Input": told})

    assert answer.json["code"] in {"invalid_signature", "stale_signature"}
