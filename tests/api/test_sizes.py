"""Conventions, row "sizes": what a body may hold."""

import io
import json

import pytest

from tests.api.calling import operation
from tests.factories import make_owner

BODY_MAX = 5 * 2**20
METADATA_MAX = 4 * 2**10
DEPTH_MAX = 16


def padded(length):
    """Return a good body of so many bytes."""
    return json.dumps(operation(make_owner())).encode().ljust(length)


def nested(depth, *, inside="1"):
    """Return a body that is so many levels deep in all."""
    body = operation(make_owner())
    body["metadata"] = "deep"
    # The body and its metadata are the first two.
    lists = depth - 2
    deep = f'{{"a": {"[" * lists}{inside}{"]" * lists}}}'
    return json.dumps(body).replace('"deep"', deep).encode()


def chunked(caller, body):
    """Send a body without saying how long it is."""
    return caller.raw(
        "POST",
        "/ledger",
        CONTENT_TYPE="application/json",
        CONTENT_LENGTH=None,
        **{"wsgi.input": io.BytesIO(body)},
    )


def test_a_body_of_five_mebibytes_is_accepted(caller):
    answer = caller.post("/ledger", padded(BODY_MAX))

    assert answer.status_code == 202


def test_a_byte_more_is_413(caller, stored_jobs):
    """RFC 9110 §15.5.14."""
    before = stored_jobs()

    answer = caller.post("/ledger", padded(BODY_MAX + 1))

    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")
    assert stored_jobs() == before


def test_the_bound_holds_for_bodies_that_do_not_say_their_length(caller):
    """RFC 9112 §7.1: chunked bodies have none."""
    answers = [chunked(caller, padded(BODY_MAX + more)) for more in (0, 1)]

    assert [answer.status_code for answer in answers] == [202, 413]


def test_a_body_is_refused_by_its_length_before_it_is_read(caller):
    answer = caller.post("/ledger", b"{}", headers={"Content-Length": str(10**12)})

    assert answer.status_code == 413


def test_a_body_shorter_than_it_says_is_400(caller):
    """RFC 9112 §8: an incomplete message."""
    body = json.dumps(operation(make_owner())).encode()

    answer = caller.post(
        "/ledger", body, headers={"Content-Length": str(len(body) + 1)}
    )

    assert (answer.status_code, answer.json["code"]) == (400, "body_cut_short")


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "0x10", "1 1"])
def test_a_length_that_is_no_number_is_400(caller, length):
    """RFC 9110 §8.6."""
    answer = caller.raw(
        "POST", "/ledger", CONTENT_TYPE="application/json", CONTENT_LENGTH=length
    )

    assert (answer.status_code, answer.json["code"]) == (400, "malformed_request")


def metadata_of(length):
    return {"note": "x" * (length - len('{"note":""}'))}


def test_metadata_of_four_kibibytes_is_accepted(caller):
    body = operation(make_owner(), metadata=metadata_of(METADATA_MAX))

    assert caller.post("/ledger", body).status_code == 202


def test_a_byte_more_of_metadata_is_422(caller):
    body = operation(make_owner(), metadata=metadata_of(METADATA_MAX + 1))

    answer = caller.post("/ledger", body)

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (
        422,
        "/metadata",
    )


def test_metadata_is_measured_in_bytes_not_in_characters(caller):
    body = operation(make_owner(), metadata={"note": "é" * (METADATA_MAX // 2)})

    assert caller.post("/ledger", body).status_code == 422


@pytest.mark.parametrize("inside", ["", "1", '"["', "1, [], {}"])
def test_sixteen_levels_are_accepted(caller, inside):
    deepest = DEPTH_MAX - (1 if "[]" in inside else 0)

    answer = caller.post("/ledger", nested(deepest, inside=inside))

    assert answer.status_code == 202


@pytest.mark.parametrize("inside", ["", "1", '"["', "[], {}"])
def test_seventeen_levels_are_400(caller, stored_jobs, inside):
    before = stored_jobs()

    answer = caller.post("/ledger", nested(DEPTH_MAX + 1, inside=inside))

    assert (answer.status_code, answer.json["code"]) == (400, "too_deep")
    assert stored_jobs() == before


def test_brackets_within_text_are_no_levels(caller):
    body = operation(make_owner(), metadata={"note": "[" * 100 + "{" * 100})

    assert caller.post("/ledger", body).status_code == 202


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_hundred_thousand_levels_are_400(caller, opening):
    answer = caller.post("/ledger", opening.encode() * 100_000)

    assert answer.status_code == 400
