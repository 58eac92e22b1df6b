from datetime import UTC, datetime

import pytest

from domain import audit_events, roles, signing_keys, users
from domain.db import create_engine, session_factory
from domain.settings import Settings


@pytest.fixture
def database(coin, bare_database):
    assert coin("migrate", DATABASE_URL=bare_database).exit_code == 0
    return bare_database


@pytest.fixture
def sessions(database):
    engine = create_engine(Settings(database_url=database), role=False)
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture
def ada(sessions):
    with sessions.begin() as session:
        return users.create(session, username="ada", now=datetime.now(UTC))


def held(sessions, user):
    with sessions() as session:
        return roles.effective(session, user.id, now=datetime.now(UTC))


def test_the_first_admin_is_made_from_the_command_line(coin, database, sessions, ada):
    made = coin("people", "grant", "Ada", "admin", DATABASE_URL=database)

    assert (made.exit_code, made.stdout) == (0, "ada is admin\n")
    assert held(sessions, ada) == {"admin"}
    listed = coin("people", "list", DATABASE_URL=database).stdout
    assert listed.split() == [str(ada.id), "ada", "member,admin"]


def test_a_role_is_taken_again(coin, database, sessions, ada):
    coin("people", "grant", "ada", "council", DATABASE_URL=database)
    taken = coin("people", "revoke", "ada", "council", DATABASE_URL=database)

    assert taken.exit_code == 0
    assert held(sessions, ada) == set()


def test_what_is_granted_and_taken_is_recorded_as_nobodys_deed(
    coin, database, sessions, ada
):
    for step in ("grant", "revoke"):
        coin("people", step, "ada", "council", DATABASE_URL=database)
    coin("people", "revoke", "ada", "council", DATABASE_URL=database)
    with sessions() as session:
        found = audit_events.page(session, subject=f"user:{ada.id}", limit=9).items
        events = [row.AuditEvent.describe() for row in found]

    assert [event["action"] for event in events] == ["role.revoked", "role.granted"]
    assert {event["actor"] for event in events} == {None}
    assert {event["details"]["role"] for event in events} == {"council"}


def test_a_role_may_end_on_a_day(coin, database, sessions, ada):
    until = ("--until", "2099-01-31")
    made = coin("people", "grant", "ada", "council", *until, DATABASE_URL=database)

    assert "until 2099-01-31 00:00" in made.stdout
    with sessions() as session:
        (row,) = roles.page(session, ada.id, start=None, limit=2).items
    assert row.RoleGrant.ends_at == datetime(2099, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["grant", "nobody", "admin"], "no person 'nobody'"),
        (["grant", "ada", "king"], "king"),
        (["grant", "ada", "admin", "--until", "2020-01-01"], "later time"),
        (["grant", "ada", "admin", "--until", "soon"], "soon"),
        (["grant", "ada", "guardian"], "a year at most"),
        (["revoke", "ada", "admin"], "does not hold"),
    ],
)
def test_a_mistake_is_explained(coin, database, ada, arguments, complaint):
    answer = coin("people", *arguments, DATABASE_URL=database)

    assert answer.exit_code != 0
    assert complaint in answer.output
    assert "Traceback" not in answer.output


def test_keys_are_rotated_on_demand(coin, database, sessions):
    def standing():
        with sessions.begin() as session:
            now = datetime.now(UTC)
            found = signing_keys.standing(session, secret="s", now=now)
            return [key.id.hex for key in found]

    (first,) = standing()
    environ = {"DATABASE_URL": database, "TOKEN_SECRET": "s"}
    assert coin("tokens", "rotate", **environ).exit_code == 0
    assert standing()[0] == first
    assert len(standing()) == 2
    now = coin("tokens", "rotate", "--now", **environ)
    assert standing() == [now.stdout.split()[1]]
