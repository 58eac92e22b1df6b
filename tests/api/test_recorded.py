"""What people do is recorded: each deed once, with who did it, in its transaction."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from domain import audit_events, password_resets, users
from domain.audit_events import AuditEvent
from tests.api.calling import Caller
from tests.api.people import (
    PASSWORD,
    Person,
    exchange,
    log_in,
    make_name,
    make_person,
    register,
)

NEW = "roses do not grow there"
# Everything a deed of these changes.
TABLES = ("users", "logins", "role_grants")
DIGEST = "SELECT md5(string_agg({0}::text, '' ORDER BY {0}::text)) FROM {0}"


class World:
    """Someone with a password, someone who tends the accounts, and the table."""

    def __init__(self, app, sessions):
        self.app, self.sessions = app, sessions
        self.stranger = Caller(app)
        self.name = make_name()
        self.address = f"{self.name}@example.org"
        made = register(self.stranger, username=self.name, email=self.address)
        assert made.status_code == 201
        with sessions() as session:
            user = users.by_username(session, self.name)
        self.person = Person(app, user, self.log_in().json["refresh_token"])
        self.admin = make_person(app, sessions, "admin")

    def log_in(self, password=PASSWORD):
        return log_in(self.stranger, self.name, password)

    def newest(self):
        with self.sessions() as session:
            return session.scalar(sa.select(sa.func.max(AuditEvent.id))) or 0

    def events(self, since):
        """Return what was recorded since then, the oldest first."""
        newer = sa.select(AuditEvent).where(AuditEvent.id > since)
        with self.sessions() as session:
            found = session.scalars(newer.order_by(AuditEvent.id)).all()
        return [event.describe() for event in found]

    def rows(self):
        """Return a digest of everything people's deeds are about."""
        with self.sessions() as session:
            return [session.scalar(sa.text(DIGEST.format(table))) for table in TABLES]


@pytest.fixture
def world(app, api_sessions):
    return World(app, api_sessions)


# Each makes ready what a deed needs, and returns the deed.


def registers(world):
    return lambda: register(world.stranger)


def logs_in(world):
    return world.log_in


def logs_out(world):
    return lambda: world.person.post("/auth/logout")


def ends_a_session(world):
    path = f"/auth/sessions/{world.person.session}"
    return lambda: world.person.delete(path)


def ends_the_others(world):
    world.log_in()
    return lambda: world.person.delete("/auth/sessions")


def shows_a_spent_token(world):
    spent = world.person.refresh_token
    world.person.refresh()
    world.person.refresh()
    return lambda: exchange(world.stranger, spent)


def changes_the_password(world):
    body = {"old_password": PASSWORD, "new_password": NEW}
    return lambda: world.person.post("/auth/password", body)


def resets_the_password(world):
    with world.sessions.begin() as session:
        user = users.get(session, world.person.user.id)
        token = password_resets.make(session, user, secret="", now=datetime.now(UTC))
    body = {"token": token, "new_password": NEW}
    return lambda: world.stranger.post("/auth/password-reset/confirm", body)


def changes_the_address(world):
    address = f"{make_name()}@example.org"
    return lambda: world.person.patch({"email": address, "bio": "Plants trees."})


def leaves(world):
    return lambda: world.person.delete(world.person.path)


def is_removed(world):
    return lambda: world.admin.delete(world.person.path)


def is_granted_a_role(world):
    end = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"role": "council", "ends_at": end}
    return lambda: world.admin.post(f"{world.person.path}/roles", body)


def loses_a_role(world):
    is_granted_a_role(world)()
    return lambda: world.admin.delete(f"{world.person.path}/roles/council")


class Deed(NamedTuple):
    """A deed, and what is to be recorded of it."""

    prepare: Callable
    action: str
    actor: str | None
    details: set[str] = frozenset()


DEEDS = [
    Deed(registers, "person.registered", "self"),
    Deed(logs_in, "login.succeeded", "self", {"login"}),
    Deed(logs_out, "login.ended", "self", {"login"}),
    Deed(ends_a_session, "login.ended", "self", {"login"}),
    Deed(ends_the_others, "login.ended", "self", {"others"}),
    Deed(shows_a_spent_token, "login.reused", None, {"login"}),
    Deed(changes_the_password, "password.changed", "self"),
    Deed(resets_the_password, "password.reset", "self"),
    Deed(changes_the_address, "person.changed", "self", {"fields"}),
    Deed(leaves, "person.removed", "self"),
    Deed(is_removed, "person.removed", "admin"),
    Deed(is_granted_a_role, "role.granted", "admin", {"role", "ends_at"}),
    Deed(loses_a_role, "role.revoked", "admin", {"role"}),
]
each_deed = pytest.mark.parametrize("deed", DEEDS, ids=lambda one: one.prepare.__name__)


@each_deed
def test_a_deed_is_recorded_once_with_who_did_it(world, deed):
    act = deed.prepare(world)
    since = world.newest()
    answer = act()

    (event,) = world.events(since)
    whose = answer.json["id"] if deed.prepare is registers else world.person.id
    actors = {"self": whose, "admin": world.admin.id, None: None}
    assert (event["action"], event["subject"]) == (deed.action, f"user:{whose}")
    assert (event["actor"], event["application"]) == (actors[deed.actor], "commons")
    assert event["request_id"] == answer.headers["X-Request-ID"]
    assert event["details"].keys() == deed.details


@each_deed
def test_what_cannot_be_recorded_is_not_done(world, deed, monkeypatch):
    act = deed.prepare(world)
    before = world.rows()
    with monkeypatch.context() as patch:
        patch.setattr(audit_events, "record", lambda *_, **__: 1 / 0)
        answer = act()

    assert answer.status_code == 500
    assert world.rows() == before


def test_no_event_tells_what_people_want_to_keep(world):
    since = world.newest()
    tokens = [world.person.refresh_token, world.person.access_token]
    for deed in DEEDS[1:-3]:
        deed.prepare(world)()
        tokens += [world.person.refresh_token, world.person.access_token]
        if deed.action in {"login.ended", "login.reused", "password.reset"}:
            again = log_in(world.stranger, world.name, NEW)
            again = again if again.status_code == 200 else world.log_in()
            world.person.refresh_token = again.json["refresh_token"]
            world.person.refresh()

    told = str(world.events(since))
    for secret in (PASSWORD, NEW, world.name, "@example.org", "Plants", *tokens):
        assert secret not in told
    assert "login.ended" in told


# What was refused


def twice(world):
    return register(world.stranger, username=world.name)


def with_a_weak_password(world):
    return register(world.stranger, password="Password123")


def by_a_name_nobody_has(world):
    return log_in(world.stranger, make_name(), "a secret typed for a name")


def with_a_token_that_is_none(world):
    return exchange(world.stranger, "nonsense")


def unseen(world):
    return world.person.send("PATCH", world.person.path, json={"bio": "x"})


def to_an_address_of_another(world):
    taken = f"{make_name()}@example.org"
    make_person(world.app, world.sessions, email=taken)
    return world.person.patch({"email": taken})


def to_a_weak_password(world):
    body = {"old_password": PASSWORD, "new_password": "Password123"}
    return world.person.post("/auth/password", body)


def by_a_mail_nobody_sent(world):
    body = {"token": "x", "new_password": NEW}
    return world.stranger.post("/auth/password-reset/confirm", body)


def anothers_session(world):
    return world.person.delete(f"/auth/sessions/{world.admin.session}")


def anothers_account(world):
    return world.person.delete(world.admin.path)


def a_role_nobody_has_heard_of(world):
    return world.admin.post(f"{world.person.path}/roles", {"role": "god"})


def a_role_that_is_not_held(world):
    return world.admin.delete(f"{world.person.path}/roles/council")


def a_role_for_oneself(world):
    return world.person.post(f"{world.person.path}/roles", {"role": "admin"})


REFUSED = [
    *(twice, with_a_weak_password, by_a_name_nobody_has, with_a_token_that_is_none),
    *(unseen, to_an_address_of_another, to_a_weak_password, by_a_mail_nobody_sent),
    *(anothers_session, anothers_account, a_role_nobody_has_heard_of),
    *(a_role_that_is_not_held, a_role_for_oneself),
]


@pytest.mark.parametrize("attempt", REFUSED, ids=lambda one: one.__name__)
def test_what_was_refused_is_not_recorded(world, attempt):
    since = world.newest()
    answer = attempt(world)

    assert answer.status_code >= 400
    assert [e["action"] for e in world.events(since)] == []


def test_what_changed_nothing_is_not_recorded(world):
    world.person.delete("/auth/sessions")
    since = world.newest()

    assert world.person.delete("/auth/sessions").status_code == 204
    assert world.events(since) == []


# Passwords that were wrong


def test_a_wrong_password_is_recorded_for_an_account_there_is(world):
    since = world.newest()
    answer = world.log_in("a wrong password")

    (event,) = world.events(since)
    assert (event["action"], event["actor"]) == ("login.failed", None)
    assert event["subject"] == f"user:{world.person.id}"
    assert event["request_id"] == answer.headers["X-Request-ID"]
    assert event["details"] == {"path": "/auth/token"}


def test_so_is_one_shown_to_change_it(world):
    since = world.newest()
    body = {"old_password": "a wrong password", "new_password": NEW}
    world.person.post("/auth/password", body)

    (event,) = world.events(since)
    assert event["details"] == {"path": "/auth/password"}


def test_a_flood_of_wrong_passwords_is_recorded_as_far_as_they_were_looked_at(world):
    since = world.newest()
    statuses = [world.log_in("a wrong password").status_code for _ in range(12)]

    assert set(statuses) == {401, 429}
    assert len(world.events(since)) == statuses.count(401)


def test_a_reused_token_is_recorded_once_however_often_it_is_shown(world):
    show = shows_a_spent_token(world)
    since = world.newest()

    assert {show().status_code for _ in range(5)} == {401}
    assert [e["action"] for e in world.events(since)] == ["login.reused"]
