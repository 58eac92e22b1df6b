"""The conventions of every message, a row at a time, as test_conformance.py has it."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from api.app import create_app
from domain.settings import Settings
from tests.api.calling import JSON, PROBLEM, Caller, make_nonce, operation
from tests.factories import make_owner

# W3C Trace Context §3.2, its own example.
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ITEM = "/ledger/operations"


# Row "errors"; more in test_problems.py

ERRORS = {
    400: lambda caller: caller.post("/ledger", b"{"),
    401: lambda caller: Caller(caller._client.app).get("/jobs"),
    403: lambda caller: caller.get("/auth/me"),
    404: lambda caller: caller.get("/nowhere"),
    405: lambda caller: caller.delete("/ledger"),
    413: lambda caller: caller.post("/ledger", b" " * (5 * 2**20 + 1)),
    415: lambda caller: caller.post("/ledger", b"a=1", media="text/plain"),
    422: lambda caller: caller.post("/ledger", {}),
}


@pytest.mark.parametrize("status", ERRORS)
def test_rfc_9457_3_1_an_error_is_a_problem_with_its_members(caller, status):
    answer = ERRORS[status](caller)
    problem = answer.json

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)
    assert problem["status"] == status
    assert problem["instance"] == answer.headers["X-Request-ID"]
    assert all(isinstance(problem[name], str) for name in ("title", "detail", "code"))


@pytest.mark.parametrize("status", ERRORS)
def test_rfc_9457_3_1_1_the_type_of_a_problem_leads_to_its_documentation(
    caller, status
):
    address = urlsplit(ERRORS[status](caller).json["type"])

    assert address.path.startswith("/problems/")
    assert caller.get(address.path).status_code == 200


def test_rfc_6901_a_fault_is_pointed_at(caller):
    answer = caller.post("/ledger/batches", {"entries": [operation("a"), {"a/~b": 1}]})

    found = {error["pointer"] for error in answer.json["errors"]}
    assert "/entries/1/a~1~0b" in found


def test_rfc_9110_10_2_1_a_405_says_what_is_allowed(caller):
    answer = caller.delete("/ledger")

    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_rfc_9110_15_5_16_a_415_says_what_would_be_taken(caller):
    """RFC 9110 §15.5.16, and Accept-Post of W3C Linked Data Platform §7.1."""
    answer = caller.post("/ledger", b"a=1", media="text/plain")

    assert JSON in answer.headers["Accept-Post"]


def test_rfc_9110_15_6_4_a_503_says_when_to_come_back(caller):
    away = create_app(Settings(database_url="postgresql://x@127.0.0.1:9/x"))
    answer = Caller(away, caller.key).get("/jobs")

    assert (answer.status_code, answer.headers["Content-Type"]) == (503, PROBLEM)
    assert int(answer.headers["Retry-After"]) >= 1


# Row "tracing"; more in test_tracing.py


def test_w3c_trace_context_3_2_a_trace_is_taken_on_and_an_invalid_one_is_not(caller):
    traces = [TRACE, TRACE.replace("00-", "ff-"), f"00-{'0' * 32}-{'1' * 16}-01", "x"]
    answers = [
        caller.get("/nowhere", headers={"traceparent": trace}) for trace in traces
    ]

    assert [answer.headers.get("traceparent") for answer in answers] == [
        TRACE,
        *[None] * 3,
    ]


def test_an_id_of_a_request_comes_back_and_names_its_problem(caller):
    answer = caller.get("/nowhere", headers={"X-Request-ID": "mine"})

    assert answer.headers["X-Request-ID"] == answer.json["instance"] == "mine"


# Row "methods"; more in test_methods.py, over every route


def test_rfc_9110_9_3_2_head_has_the_fields_of_get_and_no_body(caller):
    get, head = (caller.send(method, ITEM) for method in ("GET", "HEAD"))

    assert (head.status_code, head.content) == (200, b"")
    for name in ("ETag", "Content-Type", "Cache-Control"):
        assert head.headers[name] == get.headers[name]


def test_rfc_9110_9_3_7_options_says_what_there_is(stranger):
    answer = stranger.send("OPTIONS", "/jobs")

    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_rfc_9110_9_2_1_safe_methods_change_nothing(caller, stored_jobs):
    before = stored_jobs()
    for method in ("GET", "HEAD", "OPTIONS"):
        caller.send(method, "/ledger", json=operation(make_owner()))

    assert stored_jobs() == before


def test_a_slash_at_the_end_means_the_same_resource(caller):
    plain, slashed = caller.get(ITEM), caller.get(f"{ITEM}/")

    assert (plain.json, slashed.status_code) == (slashed.json, 200)


# Row "sizes"; more in test_sizes.py


def test_rfc_9110_15_5_14_a_body_beyond_five_mebibytes_is_413(caller):
    body = json.dumps(operation(make_owner())).encode()
    statuses = [
        caller.post("/ledger", body.ljust(size)).status_code
        for size in (5 * 2**20, 5 * 2**20 + 1)
    ]

    assert statuses == [202, 413]


def test_metadata_beyond_four_kibibytes_is_422(caller):
    frame = len('{"a":""}')
    answers = [
        caller.post("/ledger", operation(make_owner(), metadata={"a": "x" * size}))
        for size in (4_096 - frame, 4_097 - frame)
    ]

    assert [answer.status_code for answer in answers] == [202, 422]


def test_rfc_8259_9_nesting_beyond_sixteen_levels_is_400(caller):
    """RFC 8259 §9: a parser may set a limit to the depth of nesting."""
    statuses = []
    for depth in (16, 17):
        # Two of the levels: the body, and what is named metadata.
        inner = "[" * (depth - 2) + "]" * (depth - 2)
        body = json.dumps({**operation(make_owner()), "metadata": {"a": None}})
        sent = body.replace("null", inner).encode()
        statuses.append(caller.post("/ledger", sent).status_code)

    assert statuses == [202, 400]


# and what is said of all of it


def test_rfc_8259_8_1_json_is_utf_8_in_and_out(caller, worker):
    note = {"note": "für Zoë, ₿"}
    answer = caller.done("/ledger", operation(make_owner(), metadata=note))

    assert json.loads(answer.content.decode("utf-8"))["transfer"]["metadata"] == note
    latin = json.dumps(operation("Zoë"), ensure_ascii=False).encode("latin-1")
    assert caller.post("/ledger", latin).status_code == 400


def test_rfc_7493_2_2_no_integer_that_others_would_round(caller):
    """RFC 7493 (I-JSON) §2.2: beyond 2^53 not everyone reads the same number."""
    body = {"from": make_owner(), "to": make_owner(), "nonce": make_nonce()}
    amounts = [2**53, 2**53 + 1]
    statuses = [
        caller.post("/ledger/transfers", {**body, "amount": amount}).status_code
        for amount in amounts[::-1]
    ]

    assert statuses == [422, 202]


def test_rfc_3339_5_6_a_time_without_its_offset_is_422(caller):
    now = datetime.now(UTC) - timedelta(seconds=1)
    statuses = [
        caller.get("/ledger/somebody", params={"at": text}).status_code
        for text in (now.isoformat(), now.replace(tzinfo=None).isoformat())
    ]

    assert statuses == [200, 422]
