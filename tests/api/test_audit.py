"""Reading audit events: who may, and which."""

import re

import pytest

from domain.audit_events import Action
from tests.api.calling import Caller
from tests.databases import ROOT

DOCUMENTATION = (ROOT / "docs" / "api.md").read_text()
EVENTS = "/api/audit/events"


def events(caller, **params):
    return caller.get(EVENTS, params=params).json["events"]


def subjects(caller, **params):
    return {event["subject"] for event in events(caller, limit="200", **params)}


@pytest.fixture
def made(new_caller):
    """Return the subjects of a key made for each application."""
    admins = {name: new_caller(application=name) for name in ("commons", "content")}
    body = {"scopes": ["ledger:read"]}
    return {
        name: f"key:{admin.post('/auth/api-keys', body).json['id']}"
        for name, admin in admins.items()
    }


def test_a_key_reads_the_events_of_its_application_alone(new_caller, made):
    reader = new_caller("audit:read", application="content")

    assert subjects(reader) >= {made["content"]}
    assert subjects(reader, subject=made["commons"]) == set()
    assert {event["application"] for event in events(reader)} == {"content"}


@pytest.mark.parametrize("role", ["auditor", "admin"])
def test_an_auditor_reads_the_events_of_all(new_person, made, role):
    assert subjects(new_person(role)) >= set(made.values())


@pytest.mark.parametrize("roles", [(), ("operator",), ("moderator", "council")])
def test_other_people_read_none(new_person, roles):
    answer = new_person(*roles).get(EVENTS)

    assert answer.status_code == 403


def test_reading_needs_the_scope_to_audit(new_caller):
    answer = new_caller("ledger:read", "keys:manage").get(EVENTS)

    assert (answer.status_code, answer.json["scope"]) == (403, "audit:read")


def test_an_event_says_who_did_what_to_what_in_which_request(caller):
    made = caller.post(
        "/auth/api-keys",
        {"scopes": ["ledger:read"]},
        headers={"X-Request-ID": "request-of-mine"},
    ).json

    (event,) = events(caller, subject=f"key:{made['id']}")

    assert event["action"] == "key.created"
    assert event["request_id"] == "request-of-mine"
    assert event["actor"]
    assert made["key"] not in str(event)
    assert events(caller, actor=event["actor"])[0] == event


def test_events_are_paged_by_cursor(caller):
    for _ in range(3):
        caller.post("/auth/api-keys", {"scopes": ["ledger:read"]})

    first = caller.get(EVENTS, params={"action": "key.created", "limit": "2"}).json
    second = Caller.get(caller, first["next"]).json

    ids = [event["id"] for page in (first, second) for event in page["events"]]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) >= 3


@pytest.mark.parametrize(
    "params",
    [
        {"actor": "me"},
        {"since": "yesterday"},
        {"until": "2026-11-20"},
        {"limit": "0"},
        {"cursor": "x"},
        {"who": "me"},
    ],
    ids=repr,
)
def test_a_filter_that_cannot_be_is_422(caller, params):
    assert caller.get(EVENTS, params=params).status_code == 422


def test_every_action_is_told_in_the_documentation():
    table = re.search(r"^\| `action` \|.*\n(?:\|.*\n)+", DOCUMENTATION, re.MULTILINE)
    firsts = [line.split("|")[1] for line in table[0].splitlines()[2:]]

    assert sorted(re.findall("`(.+?)`", "".join(firsts))) == sorted(Action)


@pytest.mark.parametrize("action", Action)
def test_every_action_is_of_something_done(action):
    source = "".join(
        path.read_text()
        for layer in ("api", "cli", "domain", "tasks")
        for path in (ROOT / layer).rglob("*.py")
    )

    assert f"Action.{action.name}" in source
