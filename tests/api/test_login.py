"""Logging in, staying in and out: passwords, sessions, and what is told to whom."""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode
from uuid import uuid4

import argon2
import pytest
import sqlalchemy as sa

from api.app import create_app
from api.errors import Problem
from api.people import hashing
from api.people.hashing import Passwords
from domain import users
from domain.settings import Settings
from tests.api.calling import PROBLEM, Caller
from tests.api.people import FORM, PASSWORD, exchange, log_in, make_name, register
from tests.waiting import eventually

ROUNDS = 15
OLD = argon2.PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1)


@pytest.fixture(scope="module")
def known(app):
    """The name of someone whose password is known."""
    name = make_name()
    assert register(Caller(app), username=name).status_code == 201
    return name


def test_a_login_gives_both_tokens(stranger, known):
    answer = log_in(stranger, known)

    assert answer.status_code == 200
    assert set(answer.json) == {
        *("access_token", "token_type", "expires_in", "refresh_token")
    }
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 600)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_name_is_the_same_in_any_case(stranger, known):
    assert log_in(stranger, known.upper()).status_code == 200


def test_oauths_clients_may_say_what_they_want(stranger, known):
    assert log_in(stranger, known, grant_type="password").status_code == 200
    assert log_in(stranger, known, grant_type="implicit").status_code == 422


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(stranger, known):
    wrong = log_in(stranger, known, "a wrong password")
    unknown = log_in(stranger, make_name())
    told = [
        {key: value for key, value in answer.json.items() if key != "instance"}
        for answer in (wrong, unknown)
    ]

    assert told[0] == told[1]
    assert (wrong.status_code, wrong.json["code"]) == (401, "wrong_credentials")
    assert wrong.headers["WWW-Authenticate"].startswith("Bearer")


def test_who_is_unknown_waits_as_long_as_who_is_wrong(stranger):
    """CWE-208; without the work for nobody's password it would be a fiftieth."""
    known, unknown, nothing = make_name(), make_name(), ""
    register(stranger, username=known)
    seconds = {known: [], unknown: [], nothing: []}
    for number in range(1, ROUNDS + 1):
        # Turn about, each time from elsewhere: what slows one down slows all, and
        # nobody has to wait for their many guesses.
        for name in sorted(seconds, reverse=number % 2):
            form = urlencode({"username": name, "password": "a wrong password"})
            began = time.perf_counter()
            stranger.post(
                "/auth/token",
                form.encode(),
                media=FORM,
                remote_addr=f"192.0.2.{number}",
            )
            seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}

    assert 0.5 < medians[known] / medians[unknown] < 2
    # What is told apart at once: neither was answered without the work.
    assert min(medians[known], medians[unknown]) > 4 * medians[nothing]


def test_who_is_unknown_costs_the_same_statements_as_who_is_wrong(stranger, known):
    """What is recorded is undone for a name nobody has: a clock sees no other work."""
    said = []

    def note(_connection, _cursor, statement, *_rest):
        # Read again every two seconds, whoever calls.
        if "FROM blocks" not in statement:
            said.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        lists = []
        for name in (known, make_name()):
            said.clear()
            assert log_in(stranger, name, "a wrong password").status_code == 401
            lists.append(list(said))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)

    assert lists[0] == lists[1]
    assert any("audit_events" in statement for statement in lists[1])


def test_a_person_without_a_password_cannot_be_guessed(stranger, person):
    answer = log_in(stranger, person.user.username, "")
    guessed = log_in(stranger, person.user.username, "None")

    assert (answer.status_code, guessed.status_code) == (422, 401)


def test_one_password_typed_on_two_keyboards_is_one(stranger):
    name = make_name()
    register(stranger, username=name, password="crème brûlée")

    assert log_in(stranger, name, "cre\u0300me bru\u0302le\u0301e").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"username=a", 422),
        (b"", 422),
        (b"username=a&password=b&password=c", 400),
        (b"username=a&password=%ff", 400),
        (b"username=a&password=b&admin=1", 422),
        (b"username=a%00&password=b", 422),
        (b"nonsense", 400),
        (b"\xff", 400),
        (b"username=a&password=" + b"x" * 100_000, 422),
    ],
)
def test_a_form_that_is_none_is_refused(stranger, body, status):
    answer = stranger.post("/auth/token", body, media=FORM)

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == PROBLEM


def test_a_login_is_a_form_and_says_so(stranger):
    answer = stranger.post("/auth/token", {"username": "a", "password": "b"})

    assert (answer.status_code, answer.headers["Accept-Post"]) == (415, FORM)


def test_a_hash_of_old_is_renewed_by_the_next_login(stranger, api_sessions):
    name = make_name()
    register(stranger, username=name)

    def stored():
        with api_sessions() as session:
            return users.by_username(session, name).password_hash

    with api_sessions.begin() as session:
        users.by_username(session, name).password_hash = OLD.hash(PASSWORD)
    assert log_in(stranger, name, "a wrong password").status_code == 401
    assert Passwords.outdated(stored())
    assert log_in(stranger, name).status_code == 200
    assert not Passwords.outdated(stored())
    assert log_in(stranger, name).status_code == 200


# What a flood of logins may cost


def test_more_passwords_than_can_wait_are_sent_away(monkeypatch):
    monkeypatch.setattr(hashing, "WAITING_MAX", 1)
    monkeypatch.setattr(hashing.os, "cpu_count", lambda: 1)
    passwords, may, at_work = Passwords(), threading.Event(), threading.Event()

    def slow(*_):
        at_work.set()
        assert may.wait(10)
        return False

    monkeypatch.setattr(hashing, "_matches", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(passwords.verify, None, "x")
        assert at_work.wait(10)
        second = pool.submit(passwords.verify, None, "x")
        eventually(lambda: not passwords._places._value)
        with pytest.raises(Problem) as raised:
            passwords.verify(None, "x")
        may.set()
        assert (first.result(), second.result()) == (False, False)

    assert (raised.value.status_code, raised.value.name) == (503, "logins_busy")
    assert passwords.verify(None, "x") is False


# The seam


class Watch:
    def __init__(self):
        self.seen = []

    def before(self, username, address):
        self.seen.append(("before", username, address))

    def failed(self, username, address):
        self.seen.append(("failed", username, address))

    def succeeded(self, username, address):
        self.seen.append(("succeeded", username, address))


def test_who_watches_is_told_of_every_try(api_database, known, monkeypatch):
    watch = Watch()
    monkeypatch.setattr("api.app.Guesses", lambda _shared: watch)
    stranger = Caller(create_app(Settings(database_url=api_database)))
    log_in(stranger, known, "a wrong password")
    log_in(stranger, known)

    assert [(what, name) for what, name, _ in watch.seen] == [
        ("before", known),
        ("failed", known),
        ("before", known),
        ("succeeded", known),
    ]
    assert {address for *_, address in watch.seen} == {"127.0.0.1/32"}


# Sessions


def test_a_session_that_was_ended_is_refused_within_five_seconds(person):
    assert person.get("/auth/me").status_code == 200
    assert person.send("POST", "/auth/logout").status_code == 204
    began = time.monotonic()
    eventually(lambda: person.get("/auth/me").status_code == 401, within=5)

    assert time.monotonic() - began < 5
    assert person.refresh().status_code == 401


def test_a_person_sees_where_they_are_logged_in(stranger, known):
    devices = ["laptop", "phone"]
    tokens = [
        stranger.post(
            "/auth/token",
            f"username={known}&password={PASSWORD.replace(' ', '+')}".encode(),
            media=FORM,
            headers={"User-Agent": device},
        ).json
        for device in devices
    ]
    bearer = {"Authorization": f"Bearer {tokens[1]['access_token']}"}
    listed = stranger.get("/auth/sessions", headers=bearer).json["sessions"]

    assert [one["device"] for one in listed[:2]] == devices[::-1]
    assert [one["current"] for one in listed[:2]] == [True, False]
    assert tokens[0]["refresh_token"] not in str(listed)


def test_a_person_ends_one_session_or_all_others(stranger, known):
    tokens = [log_in(stranger, known).json for _ in range(3)]
    bearer = {"Authorization": f"Bearer {tokens[2]['access_token']}"}
    listed = stranger.get("/auth/sessions", headers=bearer).json["sessions"]

    one = f"/auth/sessions/{listed[1]['id']}"
    assert stranger.delete(one, headers=bearer).status_code == 204
    assert stranger.delete(one, headers=bearer).status_code == 404
    assert exchange(stranger, tokens[1]["refresh_token"]).status_code == 401
    assert stranger.delete("/auth/sessions", headers=bearer).status_code == 204
    assert exchange(stranger, tokens[0]["refresh_token"]).status_code == 401
    assert exchange(stranger, tokens[2]["refresh_token"]).status_code == 200


def test_nobody_ends_anothers_session(new_person):
    one, other = new_person(), new_person("admin")

    for session in (one.session, uuid4()):
        answer = other.delete(f"/auth/sessions/{session}")
        assert (answer.status_code, answer.json["code"]) == (404, "no_such_session")
    assert one.refresh().status_code == 200


# A new password


def test_a_new_password_ends_the_other_sessions(stranger):
    name = make_name()
    register(stranger, username=name)
    here, elsewhere = (log_in(stranger, name).json for _ in range(2))
    changed = stranger.post(
        "/auth/password",
        {"old_password": PASSWORD, "new_password": "roses do not"},
        headers={"Authorization": f"Bearer {here['access_token']}"},
    )

    assert changed.status_code == 204
    assert exchange(stranger, here["refresh_token"]).status_code == 200
    assert exchange(stranger, elsewhere["refresh_token"]).status_code == 401
    assert log_in(stranger, name).status_code == 401
    assert log_in(stranger, name, "roses do not").status_code == 200


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ("a wrong password", "roses do not", (403, "wrong_password")),
        (None, "roses do not", (403, "wrong_password")),
        (PASSWORD, "short", (422, "weak_password")),
        (PASSWORD, "1234567890", (422, "weak_password")),
    ],
)
def test_a_password_stays_unless_all_is_right(stranger, known, old, new, answer):
    tokens = log_in(stranger, known).json
    body = {"new_password": new} | ({"old_password": old} if old else {})
    refused = stranger.post(
        "/auth/password",
        body,
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )

    assert (refused.status_code, refused.json["code"]) == answer
    assert log_in(stranger, known).status_code == 200


def test_who_has_no_password_may_choose_one(stranger, person):
    chosen = person.post("/auth/password", {"new_password": PASSWORD})

    assert chosen.status_code == 204
    assert log_in(stranger, person.user.username).status_code == 200
