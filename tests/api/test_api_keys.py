"""API keys over HTTP: shown once, never beyond one's own, refused soon after."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from api import credentials
from api.authentication import ApiKeys
from domain import keys
from domain.db import create_engine, session_factory
from domain.settings import Settings
from tests.api.calling import Caller, operation, pointers
from tests.factories import make_key, make_owner
from tests.waiting import eventually

KEYS = "/auth/api-keys"
SOMETHING = "/ledger/operations"


def make(caller, *scopes, **fields):
    return caller.post(KEYS, {"scopes": scopes or ["ledger:read"], **fields})


def ids(answer):
    return [key["id"] for key in answer.json["keys"]]


def test_a_key_made_opens_what_it_should(app, caller):
    answer = make(caller, "ledger:read", name="till", expires_at="2030-01-01T00:00:00Z")

    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{KEYS}/{answer.json['id']}"
    assert answer.json["name"] == "till"
    assert answer.json["expires_at"] == "2030-01-01T00:00:00+00:00"
    holder = Caller(app, answer.json["key"])
    assert holder.get(SOMETHING).json["application"] == "commons"
    assert holder.post("/ledger", operation(make_owner())).status_code == 403


def test_a_key_is_shown_once_and_kept_by_nobody_on_the_way(caller):
    answer = make(caller)
    shown = caller.get(answer.headers["Location"])

    assert answer.headers["Cache-Control"] == "no-store"
    assert {*answer.json} - {*shown.json} == {"key"}
    secret = answer.json["key"].rpartition("_")[2]
    assert secret not in shown.text
    assert secret not in caller.get(KEYS).text


def test_what_is_known_of_a_key_is_shown(app, caller):
    made = make(caller).json
    unused = caller.get(f"{KEYS}/{made['id']}").json["last_used_at"]

    Caller(app, made["key"]).get(SOMETHING)

    used = caller.get(f"{KEYS}/{made['id']}").json["last_used_at"]
    assert (unused, bool(used)) == (None, True)


def test_keys_are_listed_newest_first_in_pages(new_caller):
    caller = new_caller()
    made = [make(caller).json["id"] for _ in range(3)]

    first = caller.get(KEYS, params={"limit": "2"})
    second = caller.get(first.json["next"])

    assert (ids(first) + ids(second))[:3] == made[::-1]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/scopes"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["ledger:everything"]}, "/scopes/0"),
        ({"scopes": ["ledger:read"], "key": "pc_mine"}, "/key"),
        ({"scopes": ["ledger:read"], "name": "x" * 101}, "/name"),
        ({"scopes": ["ledger:read"], "name": "a\nb"}, "/name"),
        (
            {"scopes": ["ledger:read"], "expires_at": "2020-01-01T00:00:00Z"},
            "/expires_at",
        ),
        (
            {"scopes": ["ledger:read"], "expires_at": "2030-01-01T00:00:00"},
            "/expires_at",
        ),
        (
            {"scopes": ["ledger:read"], "expires_at": "9999-12-31T23:59:59-14:00"},
            "/expires_at",
        ),
        (
            {"scopes": ["ledger:read"], "expires_at": "0001-01-01T00:00:00+14:00"},
            "/expires_at",
        ),
    ],
    ids=repr,
)
def test_a_key_that_cannot_be_is_422_and_says_why(caller, body, pointer):
    answer = caller.post(KEYS, body)

    assert answer.status_code == 422
    assert pointer in pointers(answer)


# Whose keys


def test_managing_keys_needs_the_scope_to_manage_them(new_caller):
    without = new_caller(*(scope for scope in keys.SCOPES if scope != "keys:manage"))

    answers = [
        make(without),
        without.get(KEYS),
        without.get(f"{KEYS}/x"),
        without.delete(f"{KEYS}/x"),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json["scope"] for answer in answers} == {"keys:manage"}


def test_a_key_grants_only_what_it_has_itself(new_caller):
    manager = new_caller("keys:manage", "ledger:read")

    assert make(manager, "ledger:read", "keys:manage").status_code == 201
    answer = make(manager, "ledger:read", "ledger:credit")
    assert (answer.status_code, answer.json["scope"]) == (403, "ledger:credit")


def test_a_key_makes_keys_of_its_own_application_alone(caller):
    answer = make(caller, application="content")

    assert (answer.status_code, answer.json["code"]) == (403, "wrong_application")
    assert make(caller, application="commons").status_code == 201


def test_keys_of_another_application_are_not_there(new_caller):
    stranger, caller = new_caller(application="content"), new_caller()
    key = make(caller).json
    path = f"{KEYS}/{key['id']}"

    answers = [
        stranger.get(path),
        stranger.delete(path),
        make(stranger, replaces=key["id"]),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json["code"] for answer in answers} == {"no_such_key"}
    assert key["id"] not in ids(stranger.get(KEYS, params={"limit": "200"}))
    assert stranger.get(KEYS, params={"application": "commons"}).status_code == 403
    assert caller.get(path).json["revoked_at"] is None


def test_an_admin_manages_the_keys_of_every_application(app, new_person):
    admin = new_person("admin")

    made = make(admin, *keys.SCOPES, application="content")

    assert made.status_code == 201
    assert Caller(app, made.json["key"]).get(SOMETHING).json["application"] == "content"
    listed = admin.get(KEYS, params={"application": "content"}).json["keys"]
    assert made.json["id"] in [key["id"] for key in listed]
    assert {key["application"] for key in listed} == {"content"}
    assert admin.delete(made.headers["Location"]).json["revoked_at"]


@pytest.mark.parametrize("roles", [(), ("operator", "auditor", "moderator", "council")])
def test_other_people_manage_no_keys(new_person, roles):
    person = new_person(*roles)

    assert {person.get(KEYS).status_code, make(person).status_code} == {403}


# Their end


def test_a_key_may_be_revoked_again_and_keeps_the_first_time(caller):
    path = make(caller).headers["Location"]

    first, again = caller.delete(path), caller.delete(path)

    assert first.json["revoked_at"] == again.json["revoked_at"]


def test_a_key_revoked_at_one_process_is_refused_at_all_within_five_seconds(
    new_app, caller
):
    made = make(caller)
    holders = [Caller(new_app(), made.json["key"]) for _ in range(2)]
    assert [holder.get(SOMETHING).status_code for holder in holders] == [200, 200]

    caller.delete(made.headers["Location"])
    began = time.monotonic()
    for holder in holders:
        eventually(lambda one=holder: one.get(SOMETHING).status_code == 401, within=5)

    assert time.monotonic() - began <= 5


def test_a_new_key_and_the_one_it_replaces_both_work_until_that_is_revoked(
    app, new_caller
):
    manager = new_caller()
    old = make(manager, *keys.SCOPES)
    new = make(manager, *keys.SCOPES, replaces=old.json["id"])
    body = operation(make_owner())
    holders = [Caller(app, one.json["key"]) for one in (old, new)]

    first, again = (holder.post("/ledger", body) for holder in holders)

    assert first.status_code == 202
    assert again.headers["Idempotency-Replayed"] == "true"
    manager.delete(old.headers["Location"])
    eventually(lambda: holders[0].get(SOMETHING).status_code == 401, within=5)
    assert holders[1].get(SOMETHING).status_code == 200


class Later:
    """The time of a monotonic clock, some seconds on."""

    def __init__(self, seconds):
        self._seconds = seconds

    def monotonic(self):
        return time.monotonic() + self._seconds


@pytest.fixture
def owners_sessions(api_database):
    """Sessions of the one who owns the tables, and so may lock them."""
    engine = create_engine(Settings(database_url=api_database), role=False)
    yield session_factory(engine)
    engine.dispose()


def test_a_key_not_used_for_long_is_not_trusted_while_it_is_looked_up(
    api_sessions, owners_sessions, monkeypatch
):
    with api_sessions.begin() as session:
        key, text = make_key(session)
    look_up = ApiKeys(api_sessions)
    assert look_up(text)
    monkeypatch.setattr(credentials, "time", Later(60))
    found = []
    askers = [
        threading.Thread(target=lambda: found.append(look_up(text))) for _ in range(2)
    ]

    with owners_sessions.begin() as session:
        keys.revoke(session, key.id, now=datetime.now(UTC))
        # Whoever looks the key up now waits for the end of this block.
        session.execute(sa.text("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE"))
        for asker in askers:
            asker.start()
        askers[1].join(0.3)
    for asker in askers:
        asker.join(10)

    assert found == [None, None]


def test_an_expired_key_is_listed_and_opens_nothing(app, caller, api_sessions):
    past = datetime.now(UTC) - timedelta(minutes=1)
    with api_sessions.begin() as session:
        key, text = make_key(session, expires_at=past)

    assert Caller(app, text).get(SOMETHING).status_code == 401
    assert caller.get(f"{KEYS}/{key.id}").json["expires_at"] == past.isoformat()


def test_an_end_in_any_zone_is_that_moment(caller):
    """PostgreSQL knows no zone beyond 16 hours; RFC 3339 has them up to 24."""
    body = {"scopes": ["ledger:read"], "expires_at": "2031-06-21T14:01:13+23:38"}

    made = caller.post(KEYS, body)

    assert made.status_code == 201
    assert made.json["expires_at"] == "2031-06-20T14:23:13+00:00"


def test_an_end_after_the_last_year_is_refused(caller):
    body = {"scopes": ["ledger:read"], "expires_at": "9999-12-31T23:59:59-23:00"}

    refused = caller.post(KEYS, body)

    assert (refused.status_code, refused.json["code"]) == (422, "invalid_body")
