"""Roles: given and taken by those who tend the accounts, and by nobody else."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from api.permissions import SCOPES_OF_ROLE
from domain.roles import ROLES
from tests.api.calling import pointers
from tests.api.people import make_person
from tests.waiting import eventually

DAY = timedelta(days=1)


def path_of(person, role=""):
    return f"{person.path}/roles" + (f"/{role}" if role else "")


def scopes(person):
    return set(person.get("/auth/me").json["scopes"])


def test_every_role_has_its_scopes():
    assert {"member", *ROLES} == SCOPES_OF_ROLE.keys()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gives_its_scopes_beside_those_of_a_member(new_person, role):
    expected = SCOPES_OF_ROLE["member"] | SCOPES_OF_ROLE[role]

    assert scopes(new_person(role)) == expected


def test_a_role_that_is_granted_is_held_without_a_new_login(person, admin):
    answer = admin.post(path_of(person), {"role": "auditor"})

    assert (answer.status_code, answer.json["role"]) == (201, "auditor")
    assert answer.json["granted_by"] == admin.id
    eventually(lambda: "audit:read" in scopes(person), within=5)


def test_a_role_that_is_taken_is_lost_within_five_seconds(new_person, admin):
    person = new_person("operator", "council")
    assert admin.delete(path_of(person, "operator")).status_code == 204

    eventually(lambda: scopes(person) == {"council"} | SCOPES_OF_ROLE["member"])
    assert admin.delete(path_of(person, "operator")).status_code == 404


def test_what_was_granted_stays_written_down(person, admin):
    end = (datetime.now(UTC) + DAY).isoformat()
    admin.post(path_of(person), {"role": "council", "ends_at": end})
    admin.post(path_of(person), {"role": "council"})
    admin.delete(path_of(person, "council"))
    later, earlier = admin.get(path_of(person)).json["roles"]

    assert (earlier["ends_at"], later["ends_at"]) == (end, None)
    assert earlier["revoked_at"] == later["granted_at"]
    assert later["revoked_at"] is not None


@pytest.mark.parametrize("role", ["member", "god", ""])
def test_only_roles_there_are_can_be_granted(person, admin, role):
    assert admin.post(path_of(person), {"role": role}).status_code == 422


@pytest.mark.parametrize(
    "end", ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00", "tomorrow", 7]
)
def test_a_role_ends_at_a_time_to_come(person, admin, end):
    answer = admin.post(path_of(person), {"role": "council", "ends_at": end})

    assert answer.status_code == 422


def test_nobody_grants_by_another_name(person, admin):
    answer = admin.post(path_of(person), {"role": "council", "granted_by": admin.id})

    assert pointers(answer) == ["/granted_by"]


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
def test_who_does_not_tend_the_accounts_grants_nothing(new_person, role):
    person = new_person(role)

    answers = [
        person.get(path_of(person)),
        person.post(path_of(person), {"role": "admin"}),
        person.delete(path_of(person, role)),
    ]
    assert {answer.status_code for answer in answers} == {403}


def test_a_key_grants_nothing(caller, person):
    assert caller.post(path_of(person), {"role": "admin"}).status_code == 403


def test_nobody_is_granted_who_is_not_there(admin, new_person):
    gone = new_person()
    gone.delete(gone.path)

    for path in (path_of(gone), f"/api/users/{uuid4()}/roles"):
        answer = admin.post(path, {"role": "council"})
        assert (answer.status_code, answer.json["code"]) == (404, "no_such_user")


def test_who_left_took_no_role_with_them(app, api_sessions, admin):
    person = make_person(app, api_sessions, "operator")
    person.delete(person.path)

    eventually(lambda: person.get("/jobs").status_code == 401, within=5)
