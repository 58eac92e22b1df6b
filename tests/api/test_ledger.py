"""The ledger's single writes and what they leave to read."""

from uuid import UUID, uuid4

import pytest

from tests.api.calling import make_nonce, operation, transfer
from tests.factories import make_owner

TRANSFER_FIELDS = {
    "id",
    "application",
    "operation",
    "amount",
    "debit",
    "credit",
    "nonce",
    "metadata",
    "reversal_of",
    "job_id",
    "created_at",
}
AMOUNTS = {"DAILY_REWARD": 1, "SIGNUP_CREDIT": 3, "CREDIT_SPEND": -1, "CREDIT_ADD": 10}


@pytest.fixture
def funded(caller, worker):
    """An owner with ten credits."""
    owner = make_owner()
    caller.done("/ledger", operation(owner))
    return owner


@pytest.mark.parametrize("name", ["DAILY_REWARD", "SIGNUP_CREDIT", "CREDIT_ADD"])
def test_an_operation_issues_its_configured_amount(caller, worker, name):
    owner = make_owner()

    made = caller.done("/ledger", operation(owner, name)).json

    assert set(made) == {"transfer", "balance"}
    assert set(made["transfer"]) == TRANSFER_FIELDS
    assert made["balance"] == made["transfer"]["amount"] == AMOUNTS[name]


def test_spending_takes_a_credit_to_the_treasury(caller, funded):
    made = caller.done("/ledger", operation(funded, "CREDIT_SPEND")).json

    sides = made["transfer"]["debit"], made["transfer"]["credit"]
    assert [side["owner_id"] for side in sides] == [funded, "@treasury"]
    assert (made["balance"], sides[0]["balance"], sides[0]["version"]) == (9, 9, 2)


def test_metadata_is_kept_as_it_was_sent(caller, worker):
    metadata = {"märz": ["a", 1, True, None, {"deep": {"er": "ok"}}], "": ""}

    made = caller.done("/ledger", operation(make_owner(), metadata=metadata)).json

    assert made["transfer"]["metadata"] == metadata


def test_an_amount_that_equals_the_configured_one_is_accepted(caller, worker):
    made = caller.done("/ledger", operation(make_owner(), amount=10)).json

    assert made["transfer"]["amount"] == 10


@pytest.mark.parametrize("amount", [1, -10, 0, 2**53])
def test_any_other_amount_is_422(caller, amount):
    answer = caller.post("/ledger", operation(make_owner(), amount=amount))

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/amount"


def test_an_unknown_operation_is_422_and_the_known_ones_are_named(caller):
    answer = caller.post("/ledger", operation(make_owner(), "CONTENT_CREATION"))

    assert (answer.status_code, answer.json["code"]) == (422, "unknown_operation")
    assert "CREDIT_SPEND" in answer.json["detail"]


@pytest.mark.parametrize("name", ["TRANSFER", "REVERSAL", "credit_add", "mro", "name"])
def test_what_is_no_operation_of_the_enum_is_unknown(caller, name):
    answer = caller.post("/ledger", operation(make_owner(), name))

    assert (answer.status_code, answer.json["code"]) == (422, "unknown_operation")


def test_a_signup_credit_is_given_once(caller, worker):
    owner = make_owner()
    caller.done("/ledger", operation(owner, "SIGNUP_CREDIT"))

    again = caller.done("/ledger", operation(owner, "SIGNUP_CREDIT"))

    assert (again.status_code, again.json["code"]) == (409, "already_claimed")
    assert caller.balance(owner) == 3


def test_a_daily_reward_is_given_once_a_day(caller, worker):
    owner = make_owner()

    answers = [
        caller.done("/ledger", operation(owner, "DAILY_REWARD")) for _ in range(2)
    ]

    # Midnight may fall between the two.
    assert [answer.status_code for answer in answers] in ([201, 409], [201, 201])


GOOD_OWNERS = [
    "a",
    "_",
    "9",
    "alice",
    "a.b:c+d~e@f-g_h",
    "user@example.org",
    "did:key:z6Mk",
    "Ødegård",
    "李雷",
    "x" * 128,
]
BAD_OWNERS = [
    "",
    "x" * 129,
    " ",
    "a b",
    "a/b",
    "-a",
    ".",
    "..",
    "@treasury",
    "@issuance",
    "~a",
    "a\n",
    "a\0",
    "a\u202eb",
    "a\u200bb",
    "e\u0301",
    "😀",
    "a?b",
    "a#b",
    "a%20b",
    "<b>",
    "batches",
    "operations",
    "transfers",
    "trial-balance",
]


@pytest.mark.parametrize("owner", GOOD_OWNERS, ids=lambda owner: owner[:20])
def test_a_name_that_can_be_written_can_be_read(caller, worker, owner):
    made = caller.done("/ledger", operation(owner))

    answer = caller.get(f"/ledger/{owner}")
    assert made.status_code == 201
    assert (answer.json["owner_id"], answer.json["balance"]) == (
        owner,
        made.json["balance"],
    )


@pytest.mark.parametrize("owner", BAD_OWNERS, ids=lambda owner: repr(owner)[:20])
def test_an_ill_formed_or_reserved_name_is_422(caller, stored_jobs, owner):
    before = stored_jobs()

    answer = caller.post("/ledger", operation(owner))

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (
        422,
        "/owner_id",
    )
    assert stored_jobs() == before


@pytest.mark.parametrize("owner", [name for name in BAD_OWNERS if len(name) < 10])
@pytest.mark.parametrize("end", ["from", "to"])
def test_an_ill_formed_end_of_a_transfer_is_422(caller, owner, end):
    answer = caller.post("/ledger/transfers", {**transfer("a", "b"), end: owner})

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (
        422,
        f"/{end}",
    )


def test_an_owner_can_pay_another(caller, funded):
    other = make_owner()

    made = caller.done("/ledger/transfers", transfer(funded, other, 4)).json

    assert (made["transfer"]["operation"], made["transfer"]["amount"]) == (
        "TRANSFER",
        4,
    )
    assert (made["balance"], caller.balance(funded), caller.balance(other)) == (6, 6, 4)


def test_nobody_pays_more_than_they_have(caller, funded):
    answer = caller.done("/ledger/transfers", transfer(funded, make_owner(), 11))

    refusal = answer.json
    assert (answer.status_code, refusal["code"]) == (409, "insufficient_credits")
    assert (refusal["available"], refusal["needed"]) == (10, 11)


def test_everything_can_be_paid(caller, funded):
    caller.done("/ledger/transfers", transfer(funded, make_owner(), 10))

    assert caller.balance(funded) == 0


def test_nobody_pays_themselves(caller):
    owner = make_owner()

    answer = caller.post("/ledger/transfers", transfer(owner, owner))

    assert (answer.status_code, answer.json["code"]) == (422, "same_account")


def test_a_transfer_shows_both_sides(caller, funded):
    other = make_owner()
    made = caller.done("/ledger/transfers", transfer(funded, other, 4))

    shown = caller.get(made.headers["Location"]).json

    assert shown["debit"] == {"owner_id": funded, "balance": 6, "version": 2}
    assert shown["credit"] == {"owner_id": other, "balance": 4, "version": 1}


def test_an_unknown_transfer_is_404(caller):
    answer = caller.get(f"/ledger/transfers/{uuid4()}")

    assert (answer.status_code, answer.json["code"]) == (404, "no_such_transfer")


def test_a_transfer_of_another_application_is_404(caller, new_caller, funded):
    made = caller.done("/ledger/transfers", transfer(funded, make_owner()))

    answer = new_caller(application="content").get(made.headers["Location"])

    assert answer.status_code == 404


def reversal(reason="a mistake", **fields):
    return {"nonce": make_nonce(), "reason": reason, **fields}


def test_a_reversal_gives_back_and_names_what_it_reverses(caller, funded):
    other = make_owner()
    path = caller.done("/ledger/transfers", transfer(funded, other, 4)).headers[
        "Location"
    ]

    answer = caller.done(f"{path}/reversal", reversal())

    undone = answer.json["transfer"]
    assert answer.status_code == 201
    assert (undone["operation"], undone["metadata"]) == (
        "REVERSAL",
        {"reason": "a mistake"},
    )
    assert path.endswith(undone["reversal_of"])
    assert (caller.balance(funded), caller.balance(other)) == (10, 0)


def test_an_issued_credit_can_be_reversed(caller, worker):
    owner = make_owner()
    made = caller.done("/ledger", operation(owner))

    answer = caller.done(f"{made.headers['Location']}/reversal", reversal())

    assert (answer.status_code, caller.balance(owner)) == (201, 0)


def test_a_transfer_is_reversed_once(caller, funded):
    path = caller.done("/ledger/transfers", transfer(funded, make_owner())).headers[
        "Location"
    ]
    caller.done(f"{path}/reversal", reversal())

    again = caller.done(f"{path}/reversal", reversal())

    assert (again.status_code, again.json["code"]) == (409, "already_reversed")


def test_a_reversal_is_not_itself_reversed(caller, funded):
    path = caller.done("/ledger/transfers", transfer(funded, make_owner())).headers[
        "Location"
    ]
    undone = caller.done(f"{path}/reversal", reversal()).headers["Location"]

    answer = caller.done(f"{undone}/reversal", reversal())

    assert (answer.status_code, answer.json["code"]) == (409, "not_reversible")


def test_what_was_spent_meanwhile_cannot_be_taken_back(caller, funded):
    other = make_owner()
    path = caller.done("/ledger/transfers", transfer(funded, other, 4)).headers[
        "Location"
    ]
    caller.done("/ledger/transfers", transfer(other, make_owner(), 4))

    answer = caller.done(f"{path}/reversal", reversal())

    assert (answer.status_code, answer.json["code"]) == (409, "insufficient_credits")


def test_a_reversal_of_nothing_is_404(caller, stored_jobs):
    before = stored_jobs()

    answer = caller.post(f"/ledger/transfers/{uuid4()}/reversal", reversal())

    assert (answer.status_code, answer.json["code"]) == (404, "no_such_transfer")
    assert stored_jobs() == before


def test_a_reversal_of_another_applications_transfer_is_404(caller, new_caller, funded):
    path = caller.done("/ledger/transfers", transfer(funded, make_owner())).headers[
        "Location"
    ]

    answer = new_caller(application="content").post(f"{path}/reversal", reversal())

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"nonce": "n"},
        {"nonce": "n", "reason": ""},
        {"nonce": "n", "reason": "x" * 501},
        {"nonce": "n", "reason": "a\nb"},
        {"nonce": "n", "reason": 5},
    ],
)
def test_a_reversal_needs_a_reason(caller, body):
    answer = caller.post(f"/ledger/transfers/{uuid4()}/reversal", body)

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (
        422,
        "/reason",
    )


def test_the_operations_of_an_application_are_listed(caller):
    shown = caller.get("/ledger/operations").json

    assert shown["application"] == "commons"
    listed = {one["operation"]: one["amount"] for one in shown["operations"]}
    assert listed == AMOUNTS


def test_operations_tell_who_may_use_them_and_how_often(caller):
    listed = {
        one["operation"]: (one["once"], one["scope"])
        for one in caller.get("/ledger/operations").json["operations"]
    }

    assert listed == {
        "DAILY_REWARD": ("per UTC day", "ledger:spend"),
        "SIGNUP_CREDIT": ("per owner", "ledger:spend"),
        "CREDIT_SPEND": (None, "ledger:spend"),
        "CREDIT_ADD": (None, "ledger:credit"),
    }


def test_another_application_has_its_own_operations(new_caller):
    shown = new_caller(application="content").get("/ledger/operations").json

    listed = {one["operation"]: one["amount"] for one in shown["operations"]}
    assert listed == AMOUNTS | {"CONTENT_CREATION": -5, "CONTENT_ACCESS": 0}


def test_one_owner_has_an_account_in_each_application(caller, new_caller, funded):
    other = new_caller(application="content")

    assert (caller.balance(funded), other.balance(funded)) == (10, 0)


def test_a_transfer_id_is_an_id(caller, funded):
    made = caller.done("/ledger", operation(funded)).json["transfer"]

    assert {UUID(made["id"]).version, UUID(made["job_id"]).version} == {7, 8}
