"""Conventions, row "principal": who asks is known by an API key, or nobody is."""

import string
import time
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from domain import keys
from tests.api.calling import PROBLEM, Caller
from tests.factories import make_key
from tests.waiting import eventually

SOMETHING = "/ledger/operations"
BASE62 = string.digits + string.ascii_letters


def with_checksum(body):
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = BASE62[digit] + text
    return body + text


def swapped(text, position):
    return (
        text[:position] + ("a" if text[position] != "a" else "b") + text[position + 1 :]
    )


def test_a_key_opens(caller):
    answer = caller.get(SOMETHING)

    assert answer.status_code == 200


def test_x_token_is_an_alias_of_x_api_key(caller, stranger):
    answer = stranger.get(SOMETHING, headers={"x-token": caller.key})

    assert answer.status_code == 200


def test_no_key_is_401_with_the_scheme_to_use(stranger):
    """RFC 9110 §11.6.1: a 401 carries WWW-Authenticate with a challenge."""
    answer = stranger.get(SOMETHING)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("ApiKey ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "pc_",
        "Bearer pc_abc",
        with_checksum("pc_aaaaaaaaaaaa_" + "b" * 40),
        "pc_" + "é" * 59,
        "' OR 1=1 --",
        "x" * 7_000,
    ],
    ids=["empty", "word", "prefix", "bearer", "unknown", "latin", "sql", "long"],
)
def test_an_unknown_key_is_401(stranger, text):
    """RFC 9110 §15.5.2."""
    answer = stranger.get(SOMETHING, headers={"X-API-Key": text})

    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert answer.headers["Content-Type"] == PROBLEM


def test_a_tampered_key_is_401(caller, stranger):
    slipped = swapped(caller.key, 20)
    forged = with_checksum(slipped[:-6])

    answers = [
        stranger.get(SOMETHING, headers={"X-API-Key": text})
        for text in (slipped, forged)
    ]

    assert [answer.status_code for answer in answers] == [401, 401]


def test_an_expired_key_is_401(new_caller):
    late = new_caller(expires_at=datetime.now(UTC) - timedelta(seconds=1))

    answer = late.get(SOMETHING)

    assert answer.status_code == 401


def test_a_key_that_expires_while_in_use_is_refused(new_caller):
    brief = new_caller(expires_at=datetime.now(UTC) + timedelta(milliseconds=300))
    assert brief.get(SOMETHING).status_code == 200

    eventually(lambda: brief.get(SOMETHING).status_code == 401, within=5)


def test_a_revoked_key_is_refused_within_five_seconds(app, api_sessions):
    with api_sessions.begin() as session:
        key, text = make_key(session, scopes=keys.SCOPES)
    holder = Caller(app, text)
    assert holder.get(SOMETHING).status_code == 200

    with api_sessions.begin() as session:
        keys.revoke(session, key.id, now=datetime.now(UTC))
    began = time.monotonic()
    eventually(lambda: holder.get(SOMETHING).status_code == 401, within=5)

    assert time.monotonic() - began < 5


def test_a_key_revoked_before_its_first_use_never_opens(app, api_sessions):
    with api_sessions.begin() as session:
        key, text = make_key(session, scopes=keys.SCOPES)
        keys.revoke(session, key.id, now=datetime.now(UTC))

    answer = Caller(app, text).get(SOMETHING)

    assert answer.status_code == 401


def test_use_of_a_key_is_noted(app, api_sessions):
    with api_sessions.begin() as session:
        key, text = make_key(session, scopes=keys.SCOPES)

    Caller(app, text).get(SOMETHING)

    with api_sessions() as session:
        assert session.get(keys.ApiKey, key.id).last_used_at is not None


@pytest.mark.parametrize("path", ["/health", "/status/ready", "/metrics"])
def test_what_machines_watch_needs_no_key(stranger, path):
    answer = stranger.get(path)

    assert answer.status_code != 401


def test_a_401_does_not_say_whether_the_key_exists(app, api_sessions, stranger):
    """RFC 9457 §5: a problem gives no help to an attacker."""
    with api_sessions.begin() as session:
        key, text = make_key(session, scopes=keys.SCOPES)
        keys.revoke(session, key.id, now=datetime.now(UTC))

    revoked = Caller(app, text).get(SOMETHING).json
    unknown = stranger.get(SOMETHING, headers={"X-API-Key": "pc_no"}).json

    assert revoked["detail"] == unknown["detail"]
