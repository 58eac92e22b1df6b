"""POST /ledger/batches: thousands of writes as one job."""

import json
from itertools import pairwise

import pytest

from tests.api.calling import NDJSON, make_nonce, operation, pointers, transfer
from tests.factories import make_owner

PATH = "/ledger/batches"


def lines(entries):
    return "\n".join(json.dumps(entry) for entry in entries).encode()


def test_a_batch_tells_the_outcome_of_every_entry(caller, worker):
    owner = make_owner()
    entries = [
        operation(owner),
        operation(owner, "CREDIT_SPEND"),
        transfer(owner, make_owner(), 100),
        transfer(owner, make_owner(), 9),
    ]

    answer = caller.done(PATH, {"entries": entries})

    result = answer.json
    assert answer.status_code == 201
    assert (result["applied"], result["refused"], result["replayed"]) == (3, 1, 0)
    told = [(one["state"], one.get("balance")) for one in result["outcomes"]]
    assert told == [("applied", 10), ("applied", 9), ("refused", None), ("applied", 0)]


def test_a_refused_entry_says_why(caller, worker):
    entries = [operation(make_owner(), "CREDIT_SPEND")]

    [outcome] = caller.done(PATH, {"entries": entries}).json["outcomes"]

    problem = outcome["problem"]
    assert (problem["code"], problem["available"], problem["needed"]) == (
        "insufficient_credits",
        0,
        1,
    )


def test_an_applied_entry_names_its_transfer(caller, worker):
    owner = make_owner()

    [outcome] = caller.done(PATH, {"entries": [operation(owner)]}).json["outcomes"]

    shown = caller.get(f"/ledger/transfers/{outcome['transfer']}").json
    assert shown["credit"]["owner_id"] == owner


def test_the_location_of_a_batch_is_its_job(caller, worker):
    """RFC 9110 §15.3.2: 201 names the primary resource it made."""
    answer = caller.done(PATH, {"entries": [operation(make_owner())]})

    job = caller.get(answer.headers["Location"]).json
    assert (job["kind"], job["result"]) == ("ledger.post_batch", answer.json)


def test_an_atomic_batch_is_applied_whole(caller, worker):
    owner = make_owner()
    entries = [operation(owner), operation(owner, "CREDIT_SPEND")]

    answer = caller.done(PATH, {"entries": entries, "atomic": True})

    assert (answer.json["atomic"], answer.json["applied"]) == (True, 2)
    assert caller.balance(owner) == 9


def test_an_atomic_batch_is_refused_whole(caller, worker):
    owner = make_owner()
    entries = [
        operation(owner),
        transfer(owner, make_owner(), 11),
        operation(owner),
        operation(make_owner(), "CREDIT_SPEND"),
    ]

    answer = caller.done(PATH, {"entries": entries, "atomic": True})

    assert (answer.status_code, answer.json["code"]) == (409, "batch_refused")
    assert pointers(answer) == ["/entries/1", "/entries/3"]
    assert caller.get(f"/ledger/{owner}").json["version"] == 0


def test_a_nonce_twice_in_a_batch_counts_once(caller, worker):
    owner = make_owner()
    entry = operation(owner)

    answer = caller.done(PATH, {"entries": [entry, entry]})

    assert [one["state"] for one in answer.json["outcomes"]] == ["applied", "replayed"]
    assert caller.balance(owner) == 10


def test_a_nonce_for_two_things_in_a_batch_is_refused(caller, worker):
    entry = operation(make_owner())

    answer = caller.done(
        PATH, {"entries": [entry, {**entry, "owner_id": make_owner()}]}
    )

    second = answer.json["outcomes"][1]
    assert second["problem"]["code"] == "idempotency_key_reused"


def test_a_single_write_is_known_to_a_batch(caller, worker):
    entry = operation(make_owner())
    caller.done("/ledger", entry)

    answer = caller.done(PATH, {"entries": [entry]})

    assert answer.json["replayed"] == 1


def test_lines_are_a_batch(caller, worker):
    owner = make_owner()
    entries = [operation(owner), transfer(owner, make_owner(), 4)]

    answer = caller.done(PATH, lines(entries), media=NDJSON)

    assert (answer.status_code, answer.json["applied"]) == (201, 2)
    assert answer.json["atomic"] is False


@pytest.mark.parametrize(
    ("before", "between", "after"),
    [(b"", b"\r\n", b""), (b"\n\n", b"\n  \n", b"\n\n"), (b" ", b" \n ", b" ")],
)
def test_empty_lines_and_spaces_mean_nothing(caller, worker, before, between, after):
    entries = [operation(make_owner()) for _ in range(2)]
    body = before + between.join(json.dumps(e).encode() for e in entries) + after

    answer = caller.done(PATH, body, media=NDJSON)

    assert answer.json["applied"] == 2


@pytest.mark.parametrize(("atomic", "status"), [("true", 409), ("false", 201)])
def test_lines_are_atomic_when_the_query_says_so(caller, worker, atomic, status):
    entries = [operation(make_owner()), operation(make_owner(), "CREDIT_SPEND")]

    answer = caller.done(PATH, lines(entries), media=NDJSON, params={"atomic": atomic})

    assert answer.status_code == status


@pytest.mark.parametrize("atomic", ["yes", "1", "", "TRUE"])
def test_an_ill_formed_atomic_is_422(caller, atomic):
    answer = caller.post(
        PATH, lines([operation("a")]), media=NDJSON, params={"atomic": atomic}
    )

    assert (answer.status_code, pointers(answer)) == (422, ["?atomic"])


def test_atomic_of_a_json_batch_is_said_in_the_body_alone(caller):
    answer = caller.post(PATH, {"entries": [operation("a")]}, params={"atomic": "true"})

    assert (answer.status_code, pointers(answer)) == (422, ["?atomic"])


@pytest.mark.parametrize("atomic", [1, "true", "yes", None, [], 0])
def test_atomic_is_true_or_false(caller, atomic):
    answer = caller.post(PATH, {"entries": [operation("a")], "atomic": atomic})

    assert (answer.status_code, pointers(answer)) == (422, ["/atomic"])


@pytest.mark.parametrize("count", [1, 5_000])
@pytest.mark.parametrize("form", ["json", "lines"])
def test_a_batch_has_one_to_five_thousand_entries(caller, worker, count, form):
    owner = make_owner()
    entries = [operation(owner) for _ in range(count)]
    body, media = ({"entries": entries}, "application/json")
    if form == "lines":
        body, media = lines(entries), NDJSON

    answer = caller.done(PATH, body, media=media)

    assert (answer.status_code, answer.json["applied"]) == (201, count)
    assert caller.balance(owner) == 10 * count


@pytest.mark.parametrize("count", [0, 5_001])
@pytest.mark.parametrize("form", ["json", "lines"])
def test_none_and_more_are_422(caller, stored_jobs, count, form):
    before = stored_jobs()
    entries = [operation("a") for _ in range(count)]
    body, media = ({"entries": entries}, "application/json")
    if form == "lines":
        body, media = lines(entries), NDJSON

    answer = caller.post(PATH, body, media=media)

    assert (answer.status_code, pointers(answer)) == (422, ["/entries"])
    assert stored_jobs() == before


def broken(**fields):
    entry = {**operation("a"), **fields}
    return {name: value for name, value in entry.items() if value is not ...}


@pytest.mark.parametrize(
    ("entry", "pointer"),
    [
        (broken(owner_id=""), "/owner_id"),
        (broken(owner_id=...), "/owner_id"),
        (broken(nonce=...), "/nonce"),
        (broken(nonce="a\nb"), "/nonce"),
        (broken(amount=11), "/amount"),
        (broken(operation=7), "/operation"),
        (broken(operation="NONE"), "/operation"),
        (broken(extra=1), "/extra"),
        (broken(**{"a/b": 1}), "/a~1b"),
        ({**transfer("a", "b"), "amount": 0}, "/amount"),
        ({**transfer("a", "b"), "operation": "TRANSFER"}, "/operation"),
        (transfer("a", "@treasury"), "/to"),
        ([], ""),
        (5, ""),
        (None, ""),
        ("x", ""),
    ],
)
@pytest.mark.parametrize("form", ["json", "lines"])
def test_a_fault_is_pointed_at_in_its_entry(caller, stored_jobs, entry, pointer, form):
    """RFC 6901."""
    before = stored_jobs()
    entries = [operation("good"), entry]
    body, media = ({"entries": entries}, "application/json")
    if form == "lines":
        body, media = lines(entries), NDJSON

    answer = caller.post(PATH, body, media=media)

    assert (answer.status_code, pointers(answer)) == (422, [f"/entries/1{pointer}"])
    assert stored_jobs() == before


def test_faults_of_several_entries_are_told_together(caller):
    entries = [
        broken(owner_id=""),
        operation("good"),
        broken(amount=11),
        broken(operation="NONE"),
    ]

    answer = caller.post(PATH, {"entries": entries})

    assert pointers(answer) == [
        "/entries/0/owner_id",
        "/entries/2/amount",
        "/entries/3/operation",
    ]


def test_a_batch_of_faults_does_not_make_an_endless_answer(caller):
    answer = caller.post(PATH, {"entries": [{} for _ in range(5_000)]})

    assert answer.status_code == 422
    assert len(answer.content) < 20_000


def test_a_line_that_is_no_json_is_pointed_at(caller):
    body = lines([operation("a")]) + b"\n{broken\n"

    answer = caller.post(PATH, body, media=NDJSON)

    assert (answer.status_code, answer.json["code"]) == (400, "malformed_json")
    assert answer.json["pointer"] == "/entries/1"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/entries"),
        ({"entries": {}}, "/entries"),
        ({"entries": "x"}, "/entries"),
        ({"entries": None}, "/entries"),
        ({"entries": [operation("a")], "more": 1}, "/more"),
        ([], ""),
        (5, ""),
    ],
)
def test_a_batch_of_another_shape_is_422(caller, body, pointer):
    answer = caller.post(PATH, body)

    assert answer.status_code == 422
    assert pointer in pointers(answer)


def test_an_entry_that_pays_itself_is_refused_alone(caller, worker):
    owner = make_owner()
    entries = [transfer(owner, owner), operation(owner)]

    answer = caller.done(PATH, {"entries": entries})

    outcomes = answer.json["outcomes"]
    assert outcomes[0]["problem"]["code"] == "same_account"
    assert outcomes[1]["state"] == "applied"


def test_entries_apply_in_the_order_given(caller, worker):
    """Each pays on what the one before paid."""
    owners = [make_owner() for _ in range(50)]
    chain = [transfer(a, b, 10) for a, b in pairwise(owners)]

    answer = caller.done(PATH, {"entries": [operation(owners[0]), *chain]})

    assert answer.json["refused"] == 0
    assert caller.balance(owners[-1]) == 10


def test_a_nonce_of_the_header_is_the_batchs_own(caller, worker):
    key = make_nonce()
    entries = [operation(make_owner())]

    answer = caller.done(PATH, {"entries": entries}, headers={"Idempotency-Key": key})

    assert answer.json["applied"] == 1
