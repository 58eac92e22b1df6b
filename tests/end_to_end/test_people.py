"""Races for names, tokens and keys, over all processes there are."""

import json
import time

import pytest

from tests.end_to_end.wire import at_once, request
from tests.factories import make_username
from tests.waiting import eventually

MANY = 50
KNOWN_SECONDS = 5
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
PASSWORD = "tulips grow by the canal"


def post(stack, path, body, *headers):
    """Send one body over a connection of its own: whichever process it comes to."""
    media, raw = (FORM, body) if isinstance(body, str) else (JSON, json.dumps(body))
    with stack.wire() as wire:
        sent = request("POST", path, media, *headers, body=raw.encode())
        status, _, said = wire.send(sent).answer()
    return status, json.loads(said) if said else None


def refresh(stack, token):
    return post(stack, "/auth/refresh", {"refresh_token": token})


@pytest.fixture
def tokens(stack):
    """The tokens of somebody who has just logged in."""
    name = make_username()
    body = {"username": name, "password": PASSWORD}
    assert post(stack, "/auth/register", body)[0] == 201
    status, said = post(
        stack, "/auth/token", f"username={name}&password={PASSWORD.replace(' ', '+')}"
    )
    assert status == 200
    return said


def test_of_fifty_who_register_one_name_one_has_it_and_the_others_a_conflict(stack):
    name = make_username()
    spelled = [name.upper() if number % 2 else name for number in range(MANY)]

    answers = at_once(
        lambda one: post(
            stack, "/auth/register", {"username": one, "password": PASSWORD}
        ),
        spelled,
        threads=MANY,
    )

    statuses = [status for status, _ in answers]
    assert (statuses.count(201), statuses.count(409)) == (1, MANY - 1)
    codes = {said["code"] for status, said in answers if status == 409}
    assert codes == {"username_taken"}


def test_fifty_who_refresh_one_token_do_not_fork_its_family(stack, tokens):
    spent = tokens["refresh_token"]

    answers = at_once(lambda token: refresh(stack, token), [spent] * MANY, threads=MANY)

    assert {status for status, _ in answers} == {200}
    (succeeding,) = {said["refresh_token"] for _, said in answers}
    status, said = refresh(stack, succeeding)
    assert status == 200
    assert said["refresh_token"] not in {spent, succeeding}
    # One that is spent twice over ends all of it, wherever it is shown.
    assert refresh(stack, spent)[0] == 401
    assert refresh(stack, said["refresh_token"])[0] == 401


def test_a_key_revoked_at_one_process_is_refused_at_all_within_five_seconds(
    stack, client
):
    status, headers, made = client.ask(
        "POST", "/auth/api-keys", {"scopes": ["ledger:read"]}
    )
    assert status == 201
    look = request("GET", "/ledger/operations", f"X-API-Key: {made['key']}")

    def statuses():
        seen = []
        for _ in range(20):
            with stack.wire() as wire:
                seen.append(wire.send(look).answer()[0])
        return set(seen)

    assert statuses() == {200}
    client.ask("DELETE", headers["Location"])
    began = time.monotonic()
    eventually(lambda: statuses() == {401}, within=KNOWN_SECONDS)
    assert time.monotonic() - began <= KNOWN_SECONDS
