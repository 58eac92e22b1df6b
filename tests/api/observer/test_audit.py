"""Of audit events everybody sees that there are, and auditors who did what."""

from datetime import UTC, datetime

import pytest

from domain import audit_events
from tests.api.observer.readers import AUDIT, bearer, of_key

SUBJECTS = ("user:someone", "wallet:of-someone", "key:k", "webhook:w", "block:all")
PERSONAL = {"user:someone", "wallet:of-someone"}
APPLICATIONS = ("commons", "content")


@pytest.fixture
def entries(new_node, person, api_sessions):
    """Return what a reader sees of one event of each kind, in two applications."""

    def entries(headers=None, *, node=None):
        with api_sessions.begin() as session:
            for application in APPLICATIONS:
                for subject in SUBJECTS:
                    audit_events.record(
                        session,
                        action="key.created",
                        application=application,
                        actor=person.user.id,
                        subject=subject,
                        details={"of": application},
                        request_id=None,
                        now=datetime.now(UTC),
                    )
        limit = str(len(APPLICATIONS) * len(SUBJECTS))
        asked = node or new_node()
        return asked.get(AUDIT, params={"limit": limit}, headers=headers)

    return entries


def test_without_a_credential_nobody_is_named(entries, person):
    answer = entries()

    for entry in answer.json["audit_entries"]:
        assert (entry["actor_user_id"], entry["details"]) == (None, None)
        assert entry["ip_address"] is None
    assert person.id not in answer.text
    assert not [subject for subject in PERSONAL if subject in answer.text]
    assert answer.json["personal_data"].startswith("withheld: actor_user_id, details")
    assert answer.json["ip_addresses"].startswith("not recorded")


def test_of_all_that_was_ever_recorded_no_person_is_named(node):
    """Whatever the other tests have done to people."""
    answer = node.get(AUDIT, params={"limit": "100"})

    assert "user:" not in answer.text
    assert "wallet:" not in answer.text


def test_without_a_credential_it_is_told_what_was_done_to_what_is_no_person(entries):
    found = entries().json["audit_entries"]

    assert {entry["action_type"] for entry in found} == {"key.created"}
    told = {entry["target_entity_id"] for entry in found}
    assert told == {*SUBJECTS, None} - PERSONAL


@pytest.mark.parametrize("role", ["auditor", "admin"])
def test_an_auditor_sees_who_did_what(entries, new_person, person, role):
    answer = entries(bearer(new_person(role))).json

    found = answer["audit_entries"]
    assert {entry["actor_user_id"] for entry in found} == {person.id}
    assert {entry["target_entity_id"] for entry in found} == set(SUBJECTS)
    assert {entry["details"]["of"] for entry in found} == set(APPLICATIONS)
    assert answer["personal_data"] == "shown: of every application"


def test_a_key_sees_who_did_what_in_its_application_alone(entries, new_caller, person):
    key = new_caller("audit:read", application="content")

    answer = entries(of_key(key)).json

    found = answer["audit_entries"]
    own = [entry for entry in found if entry["application"] == "content"]
    others = [entry for entry in found if entry["application"] != "content"]
    assert {entry["actor_user_id"] for entry in own} == {person.id}
    assert {entry["target_entity_id"] for entry in own} == set(SUBJECTS)
    assert {entry["actor_user_id"] for entry in others} == {None}
    assert {str(entry["details"]) for entry in others} == {"None"}
    assert not PERSONAL & {entry["target_entity_id"] for entry in others}
    assert answer["personal_data"].startswith("shown: of content")


def test_who_asks_next_does_not_see_what_an_auditor_saw(node, entries, new_person):
    auditor = bearer(new_person("auditor"))
    entries(node=node)

    seen = [
        node.get(AUDIT, headers=headers).json["audit_entries"][0]["actor_user_id"]
        for headers in (auditor, {}, auditor)
    ]

    assert seen[0] == seen[2]
    assert seen[0]
    assert seen[1] is None


def test_an_auditors_answer_is_kept_for_nobody_else(node, new_person):
    auditor = bearer(new_person("auditor"))
    theirs, anybodys = node.get(AUDIT, headers=auditor), node.get(AUDIT)

    assert theirs.headers["Cache-Control"] == "private, no-cache"
    assert theirs.headers["ETag"] != anybodys.headers["ETag"]
    for answer in (theirs, anybodys):
        assert answer.headers["Vary"] == "Authorization, X-API-Key, X-Token"
    same = {"If-None-Match": theirs.headers["ETag"]}
    assert node.get(AUDIT, headers={**auditor, **same}).status_code == 304
    assert node.get(AUDIT, headers=same).status_code == 200


def test_the_other_name_of_the_keys_header_counts_too(entries, new_caller):
    key = new_caller("audit:read").key

    found = entries({"x-token": key}).json["audit_entries"]

    assert any(entry["details"] for entry in found)
