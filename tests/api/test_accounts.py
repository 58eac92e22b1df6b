"""Accounts: made once for a name, seen by their owners, changed and ended by them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from domain.db import create_engine
from domain.logins import Login
from domain.settings import Settings
from domain.users import User
from tests.api.calling import Caller, operation, pointers
from tests.api.people import (
    PASSWORD,
    exchange,
    log_in,
    make_name,
    make_person,
    register,
)

MANY = 50


def stored(sessions, user_id):
    with sessions() as session:
        return session.get(User, UUID(user_id))


def age(database, person, by):
    """Let a person's logins have begun earlier: what the application may not do."""
    engine = create_engine(Settings(database_url=database), role=False)
    mine = sa.update(Login).where(Login.user_id == person.user.id)
    with engine.begin() as connection:
        connection.execute(mine.values(started_at=datetime.now(UTC) - by))
    engine.dispose()


# Coming


def test_who_registers_can_log_in(stranger):
    name = make_name()
    made = register(stranger, username=name, email=f"{name}@example.org")

    assert made.status_code == 201
    assert made.headers["Location"] == f"/api/users/{made.json['id']}"
    assert (made.json["username"], made.json["roles"]) == (name, ["member"])
    assert log_in(stranger, name).status_code == 200


def test_no_answer_has_a_password_in_it(stranger, api_sessions):
    made = register(stranger)
    kept = stored(api_sessions, made.json["id"]).password_hash

    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept
    assert "password" not in made.text
    assert kept not in made.text


def test_of_many_who_register_one_name_at_once_one_has_it(app):
    name, gate = make_name(), threading.Barrier(MANY)

    def one(number):
        gate.wait()
        spelled = name.upper() if number % 2 else name
        return register(Caller(app), username=spelled)

    with ThreadPoolExecutor(MANY) as pool:
        answers = list(pool.map(one, range(MANY)))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] + [409] * (MANY - 1)
    codes = {a.json["code"] for a in answers if a.status_code == 409}
    assert codes == {"username_taken"}


@pytest.mark.parametrize("name", ["Admin", "root", "ad.min", "SUPPORT", "treasury"])
def test_nobody_gets_a_name_that_would_be_taken_for_ours(stranger, name):
    answer = register(stranger, username=name)

    assert (answer.status_code, answer.json["code"]) == (409, "username_taken")


@pytest.mark.parametrize(
    "name",
    ["ab", "a" * 33, "two words", "ünal", "a/b", "a@b", "...", "\u0430dam", "x\u200by"],
)
def test_a_name_is_of_letters_digits_and_marks(stranger, name):
    answer = register(stranger, username=name)

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_username")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "10 to 128"),
        ("x" * 129, "10 to 128"),
        ("Password123", "tried first"),
        ("1234567890", "tried first"),
        ("my name is {name} ok", "username"),
    ],
)
def test_a_password_others_would_guess_is_refused(stranger, password, why):
    name = make_name()
    answer = register(stranger, username=name, password=password.format(name=name))

    assert (answer.status_code, answer.json["code"]) == (422, "weak_password")
    assert why in answer.json["detail"]


def test_an_address_is_one_living_persons(stranger, new_person, api_sessions):
    address = f"{make_name()}@example.org"
    person = new_person(email=address)

    again = register(stranger, email=address.upper())
    assert (again.status_code, again.json["code"]) == (409, "email_taken")
    assert person.delete(person.path).status_code == 204
    assert register(stranger, email=address).status_code == 201


@pytest.mark.parametrize(
    "address", ["x", "a@b", "a b@c.org", "a@b.org\nBcc: c@d.org", "ä@b.org", "@b.org"]
)
def test_an_address_is_one_mail_can_be_sent_to(stranger, address):
    answer = register(stranger, email=address)

    assert answer.status_code == 422


@pytest.mark.parametrize(
    "field", ["roles", "is_admin", "id", "scopes", "created_at", "password_hash"]
)
def test_nobody_makes_themself_more_than_they_are(stranger, person, field):
    made = register(stranger, **{field: ["admin"]})
    changed = person.patch({field: ["admin"]})

    assert (made.status_code, pointers(made)) == (422, [f"/{field}"])
    assert (changed.status_code, pointers(changed)) == (422, [f"/{field}"])


def test_whether_a_name_is_free_can_be_asked(stranger):
    name = make_name()
    path = f"/api/users/check-username/{name}"

    assert stranger.get(path).json == {"username": name, "available": True}
    register(stranger, username=name)
    taken = stranger.get(path.upper().replace("/API/USERS/CHECK-USERNAME", path[:25]))
    assert (taken.json["available"], taken.json["code"]) == (False, "username_taken")


@pytest.mark.parametrize(
    ("name", "code"), [("admin", "username_taken"), ("a%20b", "invalid_username")]
)
def test_a_name_that_cannot_be_had_is_not_free(stranger, name, code):
    answer = stranger.get(f"/api/users/check-username/{name}")

    assert (answer.status_code, answer.json["available"]) == (200, False)
    assert answer.json["code"] == code


# Seeing


def test_a_person_sees_who_they_are(person):
    me = person.get("/auth/me").json

    assert (me["id"], me["username"]) == (person.id, person.user.username)
    assert me["scopes"] == [
        "account",
        *("governance:propose", "governance:read", "governance:vote"),
        *("ledger:read", "ledger:spend"),
    ]
    assert person.get(person.path).json["username"] == person.user.username


def test_others_do_not_see_them(new_person):
    one, other = new_person(email=f"{make_name()}@example.org"), new_person("operator")

    for path in (one.path, f"/api/users/{uuid4()}"):
        answer = other.get(path)
        assert (answer.status_code, answer.json["code"]) == (404, "no_such_user")


def test_who_tends_the_accounts_sees_everyone(person, admin):
    assert admin.get(person.path).json["id"] == person.id

    found = admin.get("/api/users", params={"username": person.user.username.upper()})
    assert [user["id"] for user in found.json["users"]] == [person.id]


def test_the_list_of_people_is_not_for_everyone(person, caller):
    assert person.get("/api/users").status_code == 403
    assert caller.get("/api/users").status_code == 403


def test_people_are_listed_in_pages(admin, new_person):
    made = [new_person().id for _ in range(3)]
    first = admin.get("/api/users", params={"limit": 2}).json
    path, _, rest = first["next"].partition("?")
    second = admin.get(path, query_string=rest).json

    listed = [user["id"] for user in first["users"] + second["users"]]
    assert listed[:3] == made[::-1]


def test_a_key_is_nobodys_account(caller, person):
    for path in ("/auth/me", "/auth/sessions", person.path):
        answer = caller.get(path)
        assert (answer.status_code, answer.json["scope"]) == (403, "account")


# Changing


def test_a_person_tells_about_themself_and_takes_it_back(person):
    told = person.patch({"display_name": "Ada", "bio": "Plants trees.\nOften."})
    assert (told.status_code, told.json["display_name"]) == (200, "Ada")

    back = person.patch({"bio": None})
    assert (back.json["bio"], back.json["display_name"]) == (None, "Ada")


def test_a_change_needs_what_was_seen(person):
    body = {"display_name": "Ada"}
    unseen = person.send("PATCH", person.path, json=body)
    stale = person.patch(body, **{"If-Match": '"0"'})
    weak = person.patch(
        body, **{"If-Match": f"W/{person.get(person.path).headers['ETag']}"}
    )

    assert (unseen.status_code, unseen.json["code"]) == (428, "precondition_required")
    assert (stale.status_code, weak.status_code) == (412, 412)
    assert person.patch(body, **{"If-Match": "*"}).status_code == 200


def test_one_of_two_changes_at_once_has_not_seen_the_other(person):
    tag = {"If-Match": person.get(person.path).headers["ETag"]}

    def change(name):
        return person.send(
            "PATCH", person.path, json={"display_name": name}, headers=tag
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(change, map(str, range(8))))

    assert statuses == [200] + [412] * 7


def test_a_person_changes_their_address(person):
    address = f"{make_name()}@example.org"

    assert person.patch({"email": address}).json["email"] == address
    assert person.patch({"email": None}).json["email"] is None


def test_an_address_of_another_is_refused(person, new_person):
    address = f"{make_name()}@example.org"
    new_person(email=address)

    answer = person.patch({"email": address, "bio": "x"})
    assert (answer.status_code, answer.json["code"]) == (409, "email_taken")
    assert person.get(person.path).json["bio"] is None


def test_an_old_login_changes_no_address_and_ends_no_account(person, api_database):
    age(api_database, person, timedelta(minutes=16))

    changed = person.patch({"email": f"{make_name()}@example.org"})
    ended = person.delete(person.path)

    assert (changed.status_code, changed.json["code"]) == (403, "login_too_old")
    assert (ended.status_code, ended.json["code"]) == (403, "login_too_old")
    assert person.patch({"bio": "x"}).status_code == 200


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_nobody_changes_another(person, new_person, role):
    other = new_person(role)

    answer = other.patch({"display_name": "Mallory"}, path=person.path)
    assert (answer.status_code, answer.json["code"]) == (404, "no_such_user")


# Going


def test_an_account_ends_and_its_name_stays(stranger, api_sessions, app):
    address = f"{make_name()}@example.org"
    person = make_person(app, api_sessions, "council", email=address, password_hash="x")
    person.patch({"display_name": "Ada", "bio": "Plants trees."})
    assert person.delete(person.path).status_code == 204

    kept = stored(api_sessions, person.id)
    assert kept.username == person.user.username
    assert {kept.email, kept.password_hash, kept.display_name, kept.bio} == {None}
    assert register(stranger, username=kept.username).json["code"] == "username_taken"
    assert exchange(stranger, person.refresh_token).status_code == 401


def test_who_has_left_cannot_log_in(stranger):
    name = make_name()
    register(stranger, username=name)
    tokens = log_in(stranger, name).json
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    me = stranger.get("/auth/me", headers=bearer).json
    stranger.delete(f"/api/users/{me['id']}", headers=bearer)

    answer = log_in(stranger, name)
    assert (answer.status_code, answer.json["code"]) == (401, "wrong_credentials")


def test_the_books_of_who_has_left_are_as_they_were(person, caller, worker):
    made = person.done("/ledger", operation(person.id, "SIGNUP_CREDIT"))
    assert made.status_code == 201
    person.delete(person.path)

    assert caller.balance(person.id) == 3


def test_nobody_ends_anothers_account(person, new_person):
    other = new_person("operator")

    assert other.delete(person.path).status_code == 404
    assert person.get("/auth/me").status_code == 200


def test_who_tends_the_accounts_may_end_one(person, admin):
    assert admin.delete(person.path).status_code == 204
    assert admin.get(person.path).status_code == 404


# Acting


def test_a_person_acts_on_their_own_account_alone(person, new_person, worker):
    other = new_person()

    assert (
        person.done("/ledger", operation(person.id, "SIGNUP_CREDIT")).status_code == 201
    )
    assert person.balance(person.id) == 3
    foreign = person.post("/ledger", operation(other.id, "SIGNUP_CREDIT"))
    assert (foreign.status_code, foreign.json["code"]) == (403, "not_your_account")
    assert person.get(f"/ledger/{other.id}").status_code == 403


def test_a_person_issues_nothing(person):
    answer = person.post("/ledger", operation(person.id, "CREDIT_ADD"))

    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
