"""The requests of three earlier ledgers' own READMEs, as their clients send them.

They are run by curl as they stand there, but for three things: the host, the token, and
that a write is waited for (`Prefer: wait`) and then answered 201.
"""

import json
import shlex
import shutil
import subprocess

import pytest

HOST = "http://localhost:8000"
SECONDS = 60

# 002

REGISTER = """
curl -X POST http://localhost:8000/auth/register \
  -H "Content-Type: application/json" \
  -d '{"username": "testuser", "password": "Test@1234"}'
"""
LOG_IN = """
curl -X POST http://localhost:8000/auth/token \
  -H "Content-Type: application/x-www-form-urlencoded" \
  -d "username=testuser&password=Test@1234"
"""
WHO_AM_I = """
curl -X GET http://localhost:8000/auth/me \
  -H "Authorization: Bearer <your-access-token>"
"""
ADD = """
curl -X POST http://localhost:8000/ledger/ \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer <your-access-token>" \
  -d '{"owner_id": "testuser", "operation": "CREDIT_ADD", "amount": 10, "nonce": "unique-transaction-id"}'
"""  # noqa: E501
READ = """
curl -X GET http://localhost:8000/ledger/testuser \
  -H "Authorization: Bearer <your-access-token>"
"""

# 003

BALANCE = """
curl --location 'http://localhost:8000/ledger/user1' \
--header 'x-token: secret-token'
"""
SIGN_UP = """
curl --location 'http://localhost:8000/ledger' \
--header 'x-token: secret-token' \
--header 'Content-Type: application/json' \
--data '{
    "operation": "SIGNUP_CREDIT",
    "owner_id": "user1",
    "nonce": "2025-02-13T21:07:11.064Z"
} '
"""
SPEND = """
curl --location 'http://localhost:8000/ledger' \
--header 'x-token: secret-token' \
--header 'Content-Type: application/json' \
--data '{
    "operation": "CREDIT_SPEND",
    "owner_id": "user1",
    "nonce": "2025-02-14T23:57:15.516Z"
} '
"""

# The person of 002 logs in with a password of nine characters: one more is asked for.
SHORT, LONG_ENOUGH = "Test@1234", "Test@12345"

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not on this machine"
)


@pytest.fixture
def run(stack):
    """Return a function that runs a line: (status, what it says)."""

    def run(line, replaced=None, *, wait=True):
        text = line.replace(HOST, stack.endpoints["api"])
        for old, new in (replaced or {}).items():
            assert old in text
            text = text.replace(old, new)
        prefer = ["--header", "Prefer: wait=20"] if wait else []
        done = subprocess.run(
            [*shlex.split(text), *prefer, "--silent", "--write-out", "\n%{http_code}"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        said, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(said)

    return run


@pytest.fixture
def key(stack):
    return stack.endpoints["key"]


@pytest.fixture
def as_application(key):
    """Any account was open to a person there; here it is to an application."""
    return {"Authorization: Bearer <your-access-token>": f"X-API-Key: {key}"}


@pytest.fixture
def token(run):
    """The access token of the person of 002."""
    run(REGISTER, {SHORT: LONG_ENOUGH})
    status, said = run(LOG_IN, {SHORT: LONG_ENOUGH})
    assert status == 200
    return said["access_token"]


def test_002_registers_logs_in_and_asks_who_it_is(run):
    registered, person = run(REGISTER, {SHORT: LONG_ENOUGH})
    logged_in, tokens = run(LOG_IN, {SHORT: LONG_ENOUGH})
    status, me = run(WHO_AM_I, {"<your-access-token>": tokens["access_token"]})

    assert (registered, logged_in, status) == (201, 200, 200)
    assert tokens["token_type"].lower() == "bearer"
    assert person["username"] == me["username"] == "testuser"


def test_002_is_told_what_is_wrong_with_its_password(run):
    status, problem = run(REGISTER)

    assert (status, problem["code"]) == (422, "weak_password")
    assert "10 to 128 characters" in problem["detail"]


def test_002_adds_credit_and_verifies_it(run, as_application):
    added, made = run(ADD, as_application)
    read, shown = run(READ, as_application)

    assert (added, read) == (201, 200)
    assert made["balance"] == shown["balance"] == 10
    assert shown["owner_id"] == "testuser"


def test_002_may_no_longer_give_itself_credit_or_read_any_account(run, token):
    """There, whoever was logged in could."""
    own = {"<your-access-token>": token}

    assert [run(line, own)[0] for line in (ADD, READ)] == [403, 403]


def test_003_reads_signs_up_and_spends(run, key):
    own = {"secret-token": key}
    steps = [run(line, own) for line in (BALANCE, SIGN_UP, BALANCE, SPEND, BALANCE)]

    assert [status for status, _ in steps] == [200, 201, 200, 201, 200]
    assert [said["balance"] for _, said in steps] == [0, 3, 3, 2, 2]


def test_003_sends_the_same_again_and_nothing_happens_twice(run, key):
    own = {"secret-token": key}
    first = [run(line, own) for line in (SIGN_UP, SPEND)]
    again = [run(line, own) for line in (SIGN_UP, SPEND)]

    assert first == again
    assert run(BALANCE, own)[1]["balance"] == 2


@pytest.mark.parametrize("line", [SIGN_UP, SPEND])
def test_003_is_answered_at_once_where_it_does_not_wait(run, key, line):
    status, job = run(line, {"secret-token": key}, wait=False)

    assert status == 202
    assert job["links"]["self"] == f"/jobs/{job['id']}"


def test_003_is_turned_away_with_the_token_it_had_in_its_source(run):
    assert run(BALANCE)[0] == 401


# 004: a list of paths, and no lines; its content has no body but who and a nonce.


@pytest.fixture
def ask(run, stack):
    """Return a function that asks for one of its paths, with a key for content."""
    key = stack.endpoints["keys"]["content"]

    def ask(method, path, **body):
        line = ["curl", "-X", method, f"{HOST}{path}", "-H", f"X-API-Key: {key}"]
        if body:
            media = "Content-Type: application/json"
            line += ["-H", media, "-d", json.dumps(body)]
        return run(shlex.join(line))

    return ask


def test_004_is_healthy(ask):
    assert ask("GET", "/health")[0] == 200


def test_004_creates_an_entry_and_content_and_reads_the_balance(ask):
    owner = "owner-004"
    added = ask(
        "POST", "/ledger", owner_id=owner, operation="CREDIT_ADD", nonce="004-1"
    )
    created, made = ask("POST", "/content", owner_id=owner, nonce="004-2")
    content_id = made["content"]["id"]
    accessed = ask("POST", f"/content/{content_id}/access", owner_id=owner, nonce="3")
    read, shown = ask("GET", f"/balance/{owner}")

    assert (added[0], created, accessed[0], read) == (201, 201, 201, 200)
    assert (added[1]["balance"], made["balance"]) == (10, 5)
    assert accessed[1]["balance"] == shown["balance"] == 5
