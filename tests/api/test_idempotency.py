"""Conventions, row "idempotency": once per key, for good, however often it is sent.

The clauses named are those of draft-ietf-httpapi-idempotency-key-header.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from domain import jobs, keys
from tests.api.calling import Caller, make_nonce, operation, transfer
from tests.factories import make_key, make_owner

SENDERS = 20


def without_nonce(owner, name="CREDIT_ADD"):
    return {"owner_id": owner, "operation": name}


def keyed(key):
    return {"Idempotency-Key": key}


def test_the_header_stands_for_the_nonce(caller, worker):
    key = make_nonce()

    answer = caller.done("/ledger", without_nonce(make_owner()), headers=keyed(key))

    assert answer.status_code == 201
    assert answer.json["transfer"]["nonce"] == key


def test_a_quoted_key_and_a_bare_one_are_the_same(caller):
    """§2.1: the header is a structured string, in quotes; bare ones are accepted."""
    key, body = make_nonce(), without_nonce(make_owner())

    answers = [
        caller.post("/ledger", body, headers=keyed(text)) for text in (key, f'"{key}"')
    ]

    assert answers[0].json["id"] == answers[1].json["id"]


def test_quotes_and_backslashes_within_a_quoted_key_are_escaped(caller):
    r"""RFC 9651 §3.3.3: within a string, \" is a quote and \\ a backslash."""
    body = without_nonce(make_owner())

    answers = [
        caller.post("/ledger", body, headers=keyed(r'"a \"b\" \\ c"')),
        caller.post("/ledger", {**body, "nonce": 'a "b" \\ c'}),
    ]

    assert answers[0].json["id"] == answers[1].json["id"]


def test_header_and_nonce_may_agree(caller):
    body = operation(make_owner())

    first = caller.post("/ledger", body)
    again = caller.post("/ledger", body, headers=keyed(body["nonce"]))

    assert first.json["id"] == again.json["id"]


def test_header_and_nonce_that_disagree_are_422(caller, stored_jobs):
    before = stored_jobs()

    answer = caller.post("/ledger", operation(make_owner()), headers=keyed("other"))

    assert (answer.status_code, answer.json["code"]) == (
        422,
        "idempotency_key_mismatch",
    )
    assert stored_jobs() == before


def test_a_write_without_any_key_is_422(caller, stored_jobs):
    """§2.7: a key that is missing where one is required is an error of the caller."""
    before = stored_jobs()

    answer = caller.post("/ledger", without_nonce(make_owner()))

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/nonce")
    assert stored_jobs() == before


@pytest.mark.parametrize("key", ["", '""', "k" * 256, '"' + "k" * 256 + '"', '"k'])
def test_an_ill_formed_key_is_422(caller, key):
    answer = caller.post("/ledger", without_nonce(make_owner()), headers=keyed(key))

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_idempotency_key")


@pytest.mark.parametrize("key", ["k" * 255, '"' + "k" * 255 + '"', "' OR 1=1", "a, b"])
def test_a_key_is_any_text_of_up_to_255_characters(new_caller, key):
    answer = new_caller().post(
        "/ledger", without_nonce(make_owner()), headers=keyed(key)
    )

    assert answer.status_code == 202


def test_text_beyond_ascii_is_the_same_key_in_header_and_body(caller):
    body = without_nonce(make_owner())
    on_the_wire = "clé-№1".encode().decode("latin-1")

    answers = [
        caller.post("/ledger", body, headers=keyed(on_the_wire)),
        caller.post("/ledger", {**body, "nonce": "clé-№1"}),
    ]

    assert answers[0].json["id"] == answers[1].json["id"]


def test_a_replay_gives_the_first_answer_and_says_so(caller):
    """§2.6: a request sent again after its success has the first one's result."""
    body = operation(make_owner())

    first, again = caller.post("/ledger", body), caller.post("/ledger", body)

    assert (again.status_code, again.json) == (first.status_code, first.json)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_replay_of_a_finished_write_gives_its_result(caller, worker):
    body = operation(make_owner())

    first, again = caller.done("/ledger", body), caller.done("/ledger", body)

    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Location"] == first.headers["Location"]


def test_a_replay_changes_nothing(caller, worker, stored_jobs):
    owner = make_owner()
    body = operation(owner)
    caller.done("/ledger", body)
    before = stored_jobs()

    caller.done("/ledger", body)

    assert stored_jobs() == before
    assert caller.balance(owner) == 10


def test_a_refusal_is_replayed_even_when_it_would_now_succeed(caller, worker):
    """§2.6: the outcome is stored whether or not it was a success."""
    owner = make_owner()
    body = operation(owner, "CREDIT_SPEND")
    first = caller.done("/ledger", body)
    caller.done("/ledger", operation(owner))

    again = caller.done("/ledger", body)

    assert (first.status_code, again.status_code) == (409, 409)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_what_a_field_is_worth_by_itself_is_not_another_body(caller):
    """An amount that equals the configured one says nothing new."""
    body = operation(make_owner())

    first = caller.post("/ledger", body)
    again = caller.post("/ledger", {**body, "amount": 10})

    assert first.json["id"] == again.json["id"]


@pytest.mark.parametrize(
    "changed",
    [
        {"owner_id": "somebody-else"},
        {"operation": "CREDIT_SPEND"},
        {"metadata": {"note": "new"}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_one_key_for_two_bodies_is_422(caller, stored_jobs, changed):
    """§2.7: reuse of a key with another payload."""
    body = operation(make_owner())
    caller.post("/ledger", body)
    before = stored_jobs()

    answer = caller.post("/ledger", {**body, **changed})

    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert stored_jobs() == before


def test_one_key_for_two_kinds_of_ledger_write_is_422(caller):
    body = transfer(make_owner(), make_owner())
    caller.post("/ledger/transfers", body)

    answer = caller.post("/ledger", operation(make_owner(), nonce=body["nonce"]))

    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")


def test_a_batch_and_a_write_may_share_a_key(caller):
    key = make_nonce()

    answers = [
        caller.post(
            "/ledger/batches",
            {"entries": [operation(make_owner())]},
            headers=keyed(key),
        ),
        caller.post("/ledger", operation(make_owner(), nonce=key)),
    ]

    assert [answer.status_code for answer in answers] == [202, 202]


def test_a_batch_is_replayed_by_its_header(caller):
    body = {"entries": [operation(make_owner())]}
    key = make_nonce()

    first, again = (
        caller.post("/ledger/batches", body, headers=keyed(key)) for _ in range(2)
    )

    assert again.json["id"] == first.json["id"]
    assert again.headers["Idempotency-Replayed"] == "true"


def test_another_batch_under_one_key_is_422(caller):
    key = make_nonce()
    caller.post(
        "/ledger/batches", {"entries": [operation(make_owner())]}, headers=keyed(key)
    )

    answer = caller.post(
        "/ledger/batches", {"entries": [operation(make_owner())]}, headers=keyed(key)
    )

    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")


def test_a_batch_sent_twice_without_a_key_is_applied_once(caller, worker):
    owner = make_owner()
    body = {"entries": [operation(owner), operation(owner)]}

    first, again = (caller.done("/ledger/batches", body) for _ in range(2))

    assert (first.json["applied"], again.json["replayed"]) == (2, 2)
    assert caller.balance(owner) == 20


def test_a_key_belongs_to_one_principal(caller, new_caller):
    body = operation(make_owner())

    mine = caller.post("/ledger", body)
    other = new_caller().post("/ledger", body)

    assert other.status_code == 202
    assert mine.json["id"] != other.json["id"]


def test_writes_are_known_to_the_key_that_replaces_another(app, api_sessions):
    with api_sessions.begin() as session:
        old, text = make_key(session, scopes=keys.SCOPES)
        _, fresh = make_key(session, scopes=keys.SCOPES, replaces=old.id)
    body = operation(make_owner())
    first = Caller(app, text).post("/ledger", body)

    again = Caller(app, fresh).post("/ledger", body)

    assert again.json["id"] == first.json["id"]


def test_a_key_is_remembered_for_good(caller, worker, api_sessions):
    body = operation(make_owner())
    first = caller.done("/ledger", body)

    with api_sessions.begin() as session:
        in_ten_years = datetime.now(UTC) + timedelta(days=3_650)
        jobs.forget_periodic(session, count=100_000, before=in_ten_years)

    assert caller.done("/ledger", body).json == first.json


def test_twenty_copies_at_once_become_one_job(caller, api_sessions):
    """§2.6: a request sent again while the first is being processed."""
    owner = make_owner()
    body = operation(owner)

    with ThreadPoolExecutor(SENDERS) as pool:
        answers = list(pool.map(lambda _: caller.post("/ledger", body), range(SENDERS)))

    assert {answer.status_code for answer in answers} == {202}
    with api_sessions() as session:
        stored = session.scalars(
            sa.text("SELECT id FROM jobs WHERE payload->>'owner_id' = :owner"),
            {"owner": owner},
        ).all()
    assert {answer.json["id"] for answer in answers} == {str(job) for job in stored}
    assert len(stored) == 1


def test_of_copies_at_once_all_but_the_first_are_marked(caller):
    body = operation(make_owner())

    with ThreadPoolExecutor(SENDERS) as pool:
        answers = list(pool.map(lambda _: caller.post("/ledger", body), range(SENDERS)))

    fresh = [a for a in answers if "Idempotency-Replayed" not in a.headers]
    assert len(fresh) == 1


def test_one_of_two_bodies_sent_at_once_under_one_key_wins(caller):
    body = operation(make_owner())
    bodies = [{**body, "metadata": {"sender": n}} for n in range(SENDERS)]

    with ThreadPoolExecutor(SENDERS) as pool:
        answers = list(pool.map(lambda one: caller.post("/ledger", one), bodies))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [202] + [422] * (SENDERS - 1)
