"""A lost password: who gets the mail chooses another, and nobody learns who did."""

import re
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import structlog

from api.people import new_passwords
from domain import password_resets, users
from tests.api.calling import Caller
from tests.api.people import exchange, log_in, make_name, register
from tests.mailbox import mailbox
from tests.waiting import eventually

NEW = "roses do not grow there"
REQUEST = "/auth/password-reset/request"
CONFIRM = "/auth/password-reset/confirm"
TOKEN = re.compile(r"[0-9a-f]{32}\.[0-9a-f]{32}\.\d+\.[\w-]{43}")


@pytest.fixture
def box():
    with mailbox() as box:
        yield box


@pytest.fixture
def mailing(box, monkeypatch, working, api_database):
    """A worker that mails into the box."""
    monkeypatch.setenv("SMTP_URL", box.url)
    monkeypatch.setenv("MAIL_FROM", "coin@example.org")
    with working(api_database):
        yield box


@pytest.fixture
def forgetful(stranger):
    """Someone with an address who has forgotten their password."""
    name = make_name()
    register(stranger, username=name, email=f"{name}@Example.org")
    return name


@pytest.fixture
def token_of(api_sessions):
    """Return a maker of tokens as they are mailed."""

    def make(person_or_name, now=None):
        with api_sessions.begin() as session:
            user = users.by_username(session, person_or_name)
            return password_resets.make(
                session, user, secret="", now=now or datetime.now(UTC)
            )

    return make


def ask(caller, address):
    return caller.post(REQUEST, {"email": address})


def confirm(caller, token, password=NEW):
    return caller.post(CONFIRM, {"token": token, "new_password": password})


def test_who_gets_the_mail_chooses_a_new_password(stranger, forgetful, mailing):
    before = log_in(stranger, forgetful).json["refresh_token"]
    assert ask(stranger, f"{forgetful}@example.ORG").status_code == 202
    (message,) = eventually(lambda: mailing.sent_to(f"{forgetful}@example.org"))
    token = TOKEN.search(message.get_content())[0]

    assert message["To"] == f"{forgetful}@Example.org"
    assert message["From"] == "coin@example.org"
    assert confirm(stranger, token).status_code == 204
    assert log_in(stranger, forgetful).status_code == 401
    assert log_in(stranger, forgetful, NEW).status_code == 200
    assert exchange(stranger, before).status_code == 401


def test_one_mail_a_minute_is_enough(stranger, forgetful, mailing, monkeypatch):
    # An hour for the minute, or it may end in between.
    monkeypatch.setattr(new_passwords, "_SECONDS_A_MAIL", 3_600)
    other = make_name()
    register(stranger, username=other, email=f"{other}@example.org")
    addresses = f"{forgetful}@example.org", f"{other}@example.org"
    for address in (*[addresses[0]] * 5, addresses[1]):
        assert ask(stranger, address).status_code == 202

    # They are sent in the order they were asked for.
    eventually(lambda: mailing.sent_to(addresses[1]))
    assert len(mailing.sent_to(addresses[0])) == 1


def test_a_known_address_and_an_unknown_one_are_answered_alike(stranger, forgetful):
    """As long, too: the API does the same for both, which is to store a job."""

    def measured(address):
        began = time.perf_counter()
        answer = ask(stranger, address)
        return time.perf_counter() - began, answer.status_code, answer.json

    ask(stranger, "somebody@example.org")
    known = [measured(f"{forgetful}@example.org") for _ in range(15)]
    unknown = [measured(f"{make_name()}@example.org") for _ in range(15)]

    assert known[0][1:] == unknown[0][1:]
    medians = [statistics.median(s for s, *_ in group) for group in (known, unknown)]
    assert max(medians) < 5 * min(medians)


def test_an_unknown_address_gets_no_mail(stranger, forgetful, mailing):
    unknown = f"{make_name()}@example.org"
    ask(stranger, unknown)
    ask(stranger, f"{forgetful}@example.org")

    eventually(lambda: mailing.sent_to(f"{forgetful}@example.org"))
    assert mailing.sent_to(unknown) == []


def test_a_mail_server_that_is_away_is_tried_again(stranger, forgetful, mailing):
    mailing.refuse = "421 later"
    ask(stranger, f"{forgetful}@example.org")
    eventually(lambda: mailing.refused)
    mailing.refuse = None

    eventually(lambda: mailing.sent_to(f"{forgetful}@example.org"), within=30)


@pytest.mark.parametrize(
    "address", ["x", "", "a@b.org, c@d.org", "a@b.org\r\nBcc: c@d.org", 7, None]
)
def test_what_is_no_address_is_refused(stranger, address):
    assert ask(stranger, address).status_code == 422


def test_without_a_mail_server_the_worker_logs_the_mail(
    stranger, forgetful, api_database, working
):
    def said():
        return [
            entry for entry in logs if entry.get("to") == f"{forgetful}@Example.org"
        ]

    with structlog.testing.capture_logs() as logs, working(api_database):
        ask(stranger, f"{forgetful}@example.org")
        eventually(said)
    (mail,) = said()

    assert mail["event"] == "mail_not_sent"
    assert confirm(stranger, TOKEN.search(mail["text"])[0]).status_code == 204


# Tokens


def refused(answer):
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_reset_token")


def test_a_token_is_good_once(stranger, forgetful, token_of):
    token = token_of(forgetful)

    assert confirm(stranger, token).status_code == 204
    refused(confirm(stranger, token, "a third password"))


def test_of_many_uses_at_once_one_counts(app, forgetful, token_of):
    token, gate = token_of(forgetful), threading.Barrier(8)

    def use(number):
        gate.wait()
        return confirm(Caller(app), token, f"password number {number}")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(use, range(8)))

    assert sorted(answer.status_code for answer in answers) == [204] + [422] * 7


def test_a_token_is_void_once_the_address_is_another(stranger, new_person, token_of):
    person = new_person(email=f"{make_name()}@example.org")
    token = token_of(person.user.username)
    person.patch({"email": f"{make_name()}@example.org"})

    refused(confirm(stranger, token))


def test_a_token_is_void_once_its_person_has_left(stranger, new_person, token_of):
    person = new_person(email=f"{make_name()}@example.org")
    token = token_of(person.user.username)
    person.delete(person.path)

    refused(confirm(stranger, token))


def test_a_token_is_good_for_half_an_hour(stranger, forgetful, token_of):
    refused(
        confirm(
            stranger,
            token_of(forgetful, datetime.now(UTC) - password_resets.GOOD_FOR),
        )
    )


def test_a_token_that_was_changed_is_none(stranger, forgetful, new_person, token_of):
    key, user, until, mark = token_of(forgetful).split(".")
    other = new_person().user.id.hex
    forged = [
        f"{key}.{other}.{until}.{mark}",
        f"{key}.{user}.{int(until) + 1}.{mark}",
        f"{key}.{user}.{until}.{'A' * 43}",
        f"{'0' * 32}.{user}.{until}.{mark}",
        f"{key}.{user}.{until}",
        "../../x",
    ]

    for token in forged:
        refused(confirm(stranger, token))


def test_an_access_token_is_no_reset_token_nor_the_other_way(
    stranger, person, token_of
):
    token = token_of(person.user.username)
    answer = stranger.get("/auth/me", headers={"Authorization": f"Bearer {token}"})

    refused(confirm(stranger, person.access_token))
    assert answer.status_code == 401


def test_a_weak_password_does_not_use_the_token_up(stranger, forgetful, token_of):
    token = token_of(forgetful)

    assert confirm(stranger, token, forgetful + "12345").json["code"] == "weak_password"
    assert confirm(stranger, token).status_code == 204
