"""Reading the books: balances now and then, statements, the trial balance."""

import csv
import io
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.api.calling import make_nonce, operation, transfer
from tests.factories import make_owner

ENTRY_FIELDS = {
    "transfer_id",
    "operation",
    "amount",
    "balance_after",
    "version",
    "counterparty",
    "nonce",
    "metadata",
    "reversal_of",
    "created_at",
}


@pytest.fixture
def owner(caller, worker):
    """One who got ten credits, spent one and paid four."""
    owner = make_owner()
    caller.done("/ledger", operation(owner, metadata={"for": "work"}))
    caller.done("/ledger", operation(owner, "CREDIT_SPEND"))
    caller.done("/ledger/transfers", transfer(owner, make_owner("payee"), 4))
    return owner


def entries(caller, owner, **params):
    return caller.get(f"/ledger/{owner}/entries", params=params).json["entries"]


@pytest.mark.parametrize("path", ["/ledger", "/balance"])
def test_a_balance_says_whose_it_is_and_since_when(caller, owner, path):
    shown = caller.get(f"{path}/{owner}").json

    last = entries(caller, owner)[0]
    assert shown == {
        "owner_id": owner,
        "application": "commons",
        "balance": 5,
        "version": 3,
        "last_updated": last["created_at"],
    }


@pytest.mark.parametrize("path", ["/ledger", "/balance"])
def test_an_owner_without_account_has_nothing(caller, path):
    shown = caller.get(f"{path}/{(owner := make_owner())}").json

    assert shown == {
        "owner_id": owner,
        "application": "commons",
        "balance": 0,
        "version": 0,
        "last_updated": None,
    }


def test_a_refused_write_opens_no_account_to_be_seen(caller, worker):
    owner = make_owner()
    caller.done("/ledger", operation(owner, "CREDIT_SPEND"))

    shown = caller.get(f"/ledger/{owner}").json

    assert (shown["balance"], shown["version"], shown["last_updated"]) == (0, 0, None)


def test_a_balance_of_an_earlier_time_is_what_it_was(caller, owner):
    times = [entry["created_at"] for entry in reversed(entries(caller, owner))]

    then = [
        caller.get(f"/ledger/{owner}", params={"at": moment}).json for moment in times
    ]

    assert [(one["balance"], one["version"]) for one in then] == [
        (10, 1),
        (9, 2),
        (5, 3),
    ]


def test_before_the_first_entry_there_was_nothing(caller, owner):
    first = datetime.fromisoformat(entries(caller, owner)[-1]["created_at"])
    before = (first - timedelta(microseconds=1)).isoformat()

    shown = caller.get(f"/ledger/{owner}", params={"at": before}).json

    assert (shown["balance"], shown["version"], shown["last_updated"]) == (0, 0, None)


@pytest.mark.parametrize(
    "at",
    [
        "2999-01-01T00:00:00Z",
        "2999-01-01T00:00:00+14:00",
        "2999-01-01T00:00:00.123456-12:00",
        "9999-12-31T23:59:59Z",
    ],
)
def test_at_a_time_to_come_it_is_as_now(caller, owner, at):
    assert caller.get(f"/ledger/{owner}", params={"at": at}).json["balance"] == 5


def test_a_plus_sign_in_a_time_need_not_be_escaped(caller, owner):
    """RFC 3986 §3.4 lets it stand; forms read it as a space."""
    answer = caller.get(f"/ledger/{owner}", query_string="at=2999-01-01T00:00:00+01:00")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "at",
    [
        "",
        "yesterday",
        "2026-11-20",
        "2026-11-20T21:50:00",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "10000-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "1763675400",
        "infinity",
        "now",
        "2026-11-20T21:50:00+25:00",
        "\0",
        "2026-11-20T21:50:00Z'; --",
    ],
)
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/ledger/{}", "at"),
        ("/ledger/{}/entries", "since"),
        ("/ledger/{}/entries", "until"),
    ],
)
def test_an_ill_formed_time_is_422(caller, path, name, at):
    answer = caller.get(path.format("someone"), params={name: at})

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (
        422,
        f"?{name}",
    )


@pytest.mark.parametrize("name", ["@issuance", "@treasury"])
def test_a_system_account_has_a_balance(caller, owner, name):
    shown = caller.get(f"/ledger/{name}").json

    assert shown["balance"] < 0 if name == "@issuance" else shown["balance"] > 0


@pytest.mark.parametrize("name", ["@nobody", "@", "@@treasury"])
def test_no_other_name_is_a_system_accounts(caller, name):
    assert caller.get(f"/ledger/{name}").status_code in (200, 404)


@pytest.mark.parametrize(
    "name",
    [
        "a%20b",
        "a%00b",
        "%0d%0aX:1",
        "a%2fb",
        "%ff",
        "..",
        "%2e%2e",
        "x" * 129,
        "%E2%80%AE",
    ],
)
@pytest.mark.parametrize("path", ["/ledger/{}", "/balance/{}", "/ledger/{}/entries"])
def test_a_name_nobody_can_have_is_404(caller, path, name):
    assert caller.get(path.format(name)).status_code == 404


@pytest.mark.parametrize(
    "name", ["operations", "transfers", "batches", "trial-balance"]
)
def test_a_reserved_name_has_no_balance(caller, name):
    assert caller.get(f"/balance/{name}").status_code == 404


def test_a_statement_has_every_entry_newest_first(caller, owner):
    told = [
        (e["operation"], e["amount"], e["balance_after"], e["version"])
        for e in entries(caller, owner)
    ]

    assert told == [
        ("TRANSFER", -4, 5, 3),
        ("CREDIT_SPEND", -1, 9, 2),
        ("CREDIT_ADD", 10, 10, 1),
    ]


def test_an_entry_has_every_field(caller, owner):
    first = entries(caller, owner)[-1]

    assert set(first) == ENTRY_FIELDS
    assert (first["counterparty"], first["metadata"]) == ("@issuance", {"for": "work"})


def test_an_entry_leads_to_its_transfer(caller, owner):
    entry = entries(caller, owner)[0]

    shown = caller.get(f"/ledger/transfers/{entry['transfer_id']}").json

    assert shown["debit"]["balance"] == entry["balance_after"]


def test_the_other_side_sees_the_same_transfer(caller, owner):
    payee = entries(caller, owner)[0]["counterparty"]

    [entry] = entries(caller, payee)

    assert (entry["amount"], entry["counterparty"]) == (4, owner)


def test_a_statement_can_be_of_one_operation(caller, owner):
    told = [e["version"] for e in entries(caller, owner, operation="CREDIT_SPEND")]

    assert told == [2]


@pytest.mark.parametrize("name", ["NONE", "", "credit_spend", "'; --", "é"])
def test_a_statement_of_an_operation_nobody_has_is_empty_or_refused(
    caller, owner, name
):
    answer = caller.get(f"/ledger/{owner}/entries", params={"operation": name})

    assert answer.status_code == 422 or answer.json["entries"] == []


def test_since_counts_and_until_does_not(caller, owner):
    times = [e["created_at"] for e in reversed(entries(caller, owner))]

    told = entries(caller, owner, since=times[1], until=times[2])

    assert [entry["version"] for entry in told] == [2]


def test_a_statement_has_pages_both_ways(caller, worker):
    owner = make_owner()
    caller.fund(owner, times=5)
    first = caller.get(f"/ledger/{owner}/entries", params={"limit": "2"})

    second = caller.get(first.json["next"])
    third = caller.get(second.json["next"])
    back = caller.get(third.json["prev"])

    told = [[e["version"] for e in p.json["entries"]] for p in (first, second, third)]
    assert told == [[5, 4], [3, 2], [1]]
    assert back.json["entries"] == second.json["entries"]


def test_pages_keep_the_filters_and_a_name_beyond_ascii(caller, worker):
    """RFC 8288 §3.1: the target is a URI."""
    owner = f"Ødegård-{make_owner()}"
    caller.fund(owner, times=3)

    first = caller.get(
        f"/ledger/{owner}/entries", params={"limit": "2", "operation": "CREDIT_ADD"}
    )

    assert first.json["next"].isascii()
    assert first.headers["Link"].startswith(f"<{first.json['next']}>")
    assert [e["version"] for e in caller.get(first.json["next"]).json["entries"]] == [1]


@pytest.mark.parametrize("name", ["@issuance", "@treasury"])
def test_a_system_account_has_no_statement(caller, name):
    assert caller.get(f"/ledger/{name}/entries").status_code == 422


def statement(caller, owner, accept="text/csv", **params):
    return caller.get(
        f"/ledger/{owner}/entries", headers={"Accept": accept}, params=params
    )


def rows(answer):
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_statement_can_be_had_as_csv(caller, owner):
    """RFC 4180, and RFC 9110 §12.5.1: Accept chooses."""
    answer = statement(caller, owner)

    assert answer.headers["Content-Type"].startswith("text/csv")
    assert set(rows(answer)[0]) == ENTRY_FIELDS
    assert [row["amount"] for row in rows(answer)] == ["-4", "-1", "10"]


def test_a_statement_is_saved_under_a_name(caller, owner):
    """RFC 6266 §4."""
    answer = statement(caller, owner)

    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        ("application/json, text/csv", "application/json"),
        ("text/csv;q=0.5, application/json;q=0.1", "text/csv"),
        ("text/csv;q=0, */*", "application/json"),
        ("text/*", "text/csv"),
        ("image/png", "application/json"),
        ("", "application/json"),
        ("nonsense", "application/json"),
        ("text/csv;q=2", "application/json"),
        ("text/csv;q=", "application/json"),
        (";;,,/", "application/json"),
    ],
)
def test_accept_chooses_between_json_and_csv(caller, owner, accept, media):
    """RFC 9110 §12.5.1; a malformed Accept is as none."""
    answer = statement(caller, owner, accept)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(media)


def test_a_statement_says_that_accept_chose(caller, owner):
    """RFC 9110 §12.5.5: Vary."""
    answers = [statement(caller, owner, accept) for accept in ("*/*", "text/csv")]

    assert ["Accept" in answer.headers["Vary"] for answer in answers] == [True, True]


def test_csv_has_filters_too(caller, owner):
    assert [
        row["version"]
        for row in rows(statement(caller, owner, operation="CREDIT_SPEND"))
    ] == ["2"]


@pytest.mark.parametrize("name", ["limit", "cursor"])
def test_csv_has_no_pages(caller, owner, name):
    """A statement cut short without a word would be a false one."""
    answer = statement(caller, owner, **{name: "1"})

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (
        422,
        f"?{name}",
    )


def test_csv_is_whole_however_long(caller, worker):
    owner = make_owner()
    caller.fund(owner, times=2_100)

    told = rows(statement(caller, owner))

    assert [int(row["version"]) for row in told] == list(range(2_100, 0, -1))
    assert [int(row["balance_after"]) for row in told] == list(range(21_000, 0, -10))


def test_csv_quotes_what_would_break_a_row(caller, worker):
    """RFC 4180 §2.6, §2.7."""
    owner = make_owner()
    nonce = f'a,"b";{make_nonce()}'
    caller.done("/ledger", operation(owner, nonce=nonce, metadata={"x": 'y","z'}))

    [row] = rows(statement(caller, owner))

    assert row["nonce"] == nonce
    assert row["metadata"] == '{"x":"y\\",\\"z"}'


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_csv_holds_no_formula(caller, worker, start):
    """OWASP: CSV injection."""
    owner = make_owner()
    nonce = f"{start}HYPERLINK({make_nonce()})"
    caller.done("/ledger", operation(owner, nonce=nonce))

    [row] = rows(statement(caller, owner))

    assert row["nonce"] == f"'{nonce}"


def test_csv_of_nobody_has_its_heading_alone(caller):
    answer = statement(caller, make_owner())

    assert (len(answer.text.splitlines()), rows(answer)) == (1, [])


def test_the_books_balance(caller, owner):
    shown = caller.get("/ledger/trial-balance").json

    assert set(shown) == {"application", "sum", "accounts", "transfers", "as_of"}
    assert (shown["application"], shown["sum"]) == ("commons", 0)


def test_the_trial_balance_counts_what_is_stored(caller, owner, api_sessions):
    shown = caller.get("/ledger/trial-balance").json

    with api_sessions() as session:
        transfers, accounts = session.execute(
            sa.text("""
                SELECT (SELECT count(*) FROM transfers JOIN operations o
                        ON o.id = operation_id WHERE o.application = 'commons'),
                       (SELECT count(*) FROM accounts
                        WHERE application = 'commons' AND version > 0)
            """)
        ).one()
    assert (shown["transfers"], shown["accounts"]) == (transfers, accounts)


def test_each_application_has_books_of_its_own(caller, new_caller, owner):
    other = new_caller(application="content").get("/ledger/trial-balance").json

    assert (other["application"], other["sum"]) == ("content", 0)
