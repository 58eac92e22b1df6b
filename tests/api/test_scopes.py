"""Who may do what: every endpoint with every scope but the one it needs."""

from uuid import UUID

import pytest

from domain.keys import SCOPES
from tests.api.calling import NDJSON, operation, transfer
from tests.factories import make_owner

SOMETHING = UUID(int=8)
READS = [
    "/ledger/operations",
    "/ledger/trial-balance",
    "/ledger/someone",
    "/ledger/someone/entries",
    "/balance/someone",
    f"/ledger/transfers/{SOMETHING}",
]
SPENDING = {
    "/ledger": lambda: operation(make_owner(), "CREDIT_SPEND"),
    "/ledger/transfers": lambda: transfer(make_owner(), make_owner()),
    "/ledger/batches": lambda: {"entries": [transfer(make_owner(), make_owner())]},
}
CONTENT = {
    "/content": lambda: {"owner_id": make_owner(), "nonce": "n"},
    f"/content/{SOMETHING}/access": lambda: {"owner_id": make_owner(), "nonce": "n"},
}


def all_but(scope):
    return [other for other in SCOPES if other != scope]


@pytest.mark.parametrize("path", READS)
def test_reading_needs_the_scope_to_read(new_caller, path):
    without, with_it = new_caller(*all_but("ledger:read")), new_caller("ledger:read")

    answer = without.get(path)

    assert (answer.status_code, answer.json["scope"]) == (403, "ledger:read")
    assert with_it.get(path).status_code in (200, 404)


@pytest.mark.parametrize("path", SPENDING)
def test_spending_needs_the_scope_to_spend(new_caller, stored_jobs, path):
    without, with_it = new_caller(*all_but("ledger:spend")), new_caller("ledger:spend")
    before = stored_jobs()

    answer = without.post(path, SPENDING[path]())

    assert (answer.status_code, answer.json["scope"]) == (403, "ledger:spend")
    assert stored_jobs() == before
    assert with_it.post(path, SPENDING[path]()).status_code == 202


@pytest.mark.parametrize("path", CONTENT)
def test_content_needs_the_scope_to_spend(new_caller, path):
    without, with_it = (
        new_caller(*scopes, application="content")
        for scopes in (all_but("ledger:spend"), ["ledger:spend"])
    )

    answer = without.post(path, CONTENT[path]())

    assert (answer.status_code, answer.json["scope"]) == (403, "ledger:spend")
    assert with_it.post(path, CONTENT[path]()).status_code == 202


def test_showing_content_needs_the_scope_to_read(new_caller):
    without = new_caller(*all_but("ledger:read"), application="content")

    answer = without.get(f"/content/{SOMETHING}")

    assert (answer.status_code, answer.json["scope"]) == (403, "ledger:read")


def test_issuing_needs_the_scope_to_credit(new_caller, stored_jobs):
    without = new_caller(*all_but("ledger:credit"))
    before = stored_jobs()

    answer = without.post("/ledger", operation(make_owner(), "CREDIT_ADD"))

    assert (answer.status_code, answer.json["scope"]) == (403, "ledger:credit")
    assert stored_jobs() == before


@pytest.mark.parametrize("atomic", [True, False])
def test_issuing_within_a_batch_needs_it_too(new_caller, stored_jobs, atomic):
    without = new_caller(*all_but("ledger:credit"))
    before = stored_jobs()
    entries = [operation(make_owner(), name) for name in ("DAILY_REWARD", "CREDIT_ADD")]

    answer = without.post("/ledger/batches", {"entries": entries, "atomic": atomic})

    assert (answer.status_code, answer.json["scope"]) == (403, "ledger:credit")
    assert stored_jobs() == before


def test_issuing_within_lines_needs_it_too(new_caller):
    without = new_caller(*all_but("ledger:credit"))
    line = b'{"owner_id": "a", "operation": "CREDIT_ADD", "nonce": "n"}'

    answer = without.post("/ledger/batches", line, media=NDJSON)

    assert (answer.status_code, answer.json["scope"]) == (403, "ledger:credit")


def test_a_reversal_needs_the_scope_to_credit(new_caller):
    without = new_caller(*all_but("ledger:credit"))

    answer = without.post(
        f"/ledger/transfers/{SOMETHING}/reversal", {"nonce": "n", "reason": "r"}
    )

    assert (answer.status_code, answer.json["scope"]) == (403, "ledger:credit")


def test_what_everyone_may_claim_needs_no_scope_to_credit(new_caller):
    spender = new_caller("ledger:spend")

    answers = [
        spender.post("/ledger", operation(make_owner(), name))
        for name in ("DAILY_REWARD", "SIGNUP_CREDIT", "CREDIT_SPEND")
    ]

    assert [answer.status_code for answer in answers] == [202] * 3


def test_who_may_not_do_it_is_not_told_what_is_wrong_with_it(new_caller):
    """RFC 9110 §15.5.4: authority comes before the content."""
    without = new_caller("ledger:read")

    answers = [
        without.post(path, b"{", media=media)
        for path in SPENDING
        for media in ("application/json", "text/plain")
    ]

    assert {answer.status_code for answer in answers} == {403}
