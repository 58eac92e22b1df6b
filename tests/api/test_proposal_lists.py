"""Proposals as they are listed, their types, who may look, and who is told."""

from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import pytest

from domain import webhooks
from domain.governance.cases import find
from domain.governance.lifecycle import Event, State
from domain.keys import SCOPES
from domain.webhooks import EVENTS
from domain.webhooks.record import Delivery
from tests.api.calling import pointers
from tests.api.proposing import (
    PROPOSALS,
    REASON,
    TYPES,
    draft,
    make_further,
    patch,
    path_of,
    refused,
)
from tests.proposals import make_spend


@pytest.fixture
def made(api_sessions):
    """Return a maker of proposals that are further on than HTTP lets them be."""
    return partial(make_further, api_sessions)


# Lists


def listed(caller, **params):
    answer = caller.get(PROPOSALS, params=params)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json["proposals"]]


def test_a_list_has_what_its_filters_say(person, new_person):
    other = new_person()
    ours, theirs = (
        draft(one, tags=[one.user.username]).json for one in (person, other)
    )
    person.post(f"{PROPOSALS}/{ours['id']}/open", b"")
    amendment = draft(other, amends=ours["id"]).json

    assert listed(person, author=person.id) == [ours["id"]]
    assert listed(person, author=person.id, state="discussion") == [ours["id"]]
    assert listed(person, author=person.id, state="draft") == []
    assert listed(person, author=other.id) == [amendment["id"], theirs["id"]]
    assert listed(person, tag=other.user.username) == [theirs["id"]]
    assert listed(person, amends=ours["id"]) == [amendment["id"]]
    assert listed(person, author=person.id, type="budget") == []


def test_a_list_goes_on_where_its_page_ended(person):
    made = [draft(person).json["id"] for _ in range(3)]
    first = person.get(PROPOSALS, params={"author": person.id, "limit": 2})
    second = person.get(first.json["next"])
    pages = [[one["id"] for one in p.json["proposals"]] for p in (first, second)]

    assert pages == [made[:0:-1], made[:1]]
    assert second.json["next"] is None
    assert "description" not in first.json["proposals"][0]


@pytest.mark.parametrize(
    "params",
    [{"state": "won"}, {"author": "ada"}, {"council_id": "1"}, {"x": "1"}],
    ids=str,
)
def test_a_filter_that_means_nothing_is_422(person, params):
    answer = person.get(PROPOSALS, params=params)

    assert answer.status_code == 422
    assert pointers(answer) == [f"?{name}" for name in params]


# Types


def test_types_are_listed_with_their_rules_of_now(person):
    answer = person.get(TYPES)
    found = {one["name"]: one for one in answer.json["types"]}

    assert found.keys() >= {"simple_majority", "treasury_spend", "bylaw_change"}
    assert found["treasury_spend"]["parameters"]["signed"] is True
    versions = person.get(f"{TYPES}/treasury_spend").json["versions"]
    assert versions[0] == found["treasury_spend"]
    assert refused(person.get(f"{TYPES}/coup")) == (404, "no_such_proposal_type")


# Who may


def test_an_applications_key_looks_and_does_nothing(new_caller, person):
    path = path_of(person)
    key, without = new_caller(), new_caller(*(set(SCOPES) - {"governance:read"}))
    looks = (PROPOSALS, path, f"{path}/versions", TYPES, f"{TYPES}/budget")

    for look in looks:
        assert key.get(look).status_code == 200
        assert without.get(look).json["scope"] == "governance:read"
    for deed in ("open", "cancel", "veto", "outcome", "adoption"):
        assert refused(key.post(f"{path}/{deed}", {})) == (403, "missing_scope")
    assert refused(draft(key)) == (403, "missing_scope")
    assert person.get(path).json["state"] == "draft"


def test_no_key_is_given_the_scope_to_propose_vote_or_veto(caller):
    for scope in ("governance:propose", "governance:vote", "governance:veto"):
        answer = caller.post("/auth/api-keys", {"scopes": [scope]})
        assert answer.status_code == 422


# Told


def test_each_step_is_an_audit_event(person, new_person, made):
    path = path_of(person)
    patch(person, path, {"title": "Plant maples along the canal"})
    person.post(f"{path}/open", b"")
    person.post(f"{path}/cancel", {"reason": "words that nobody else reads"})
    auditor = new_person("auditor")
    subject = {"subject": f"proposal:{path.rpartition('/')[2]}"}
    answer = auditor.get("/api/audit/events", params=subject)
    events = answer.json["events"]

    assert [event["action"] for event in events] == [
        *("proposal.state_changed", "proposal.state_changed"),
        *("proposal.changed", "proposal.created"),
    ]
    assert {event["actor"] for event in events} == {person.id}
    assert all(event["request_id"] for event in events)
    assert "words that nobody" not in answer.text
    spend, guardian = made(make_spend), new_person("guardian")
    guardian.post(f"{spend}/veto", REASON)
    subject = {"subject": f"proposal:{spend.rpartition('/')[2]}"}
    events = auditor.get("/api/audit/events", params=subject).json["events"]
    assert {event["action"] for event in events} == {
        *("proposal.vetoed", "proposal.state_changed"),
    }


def test_webhooks_of_the_commons_are_told(person, api_sessions, few_webhooks):
    with api_sessions.begin() as session:
        endpoint = webhooks.create(
            session,
            application="commons",
            url="https://example.org/",
            events=EVENTS,
            description="",
            now=datetime.now(UTC),
        )
    path = path_of(person)
    person.post(f"{path}/open", b"", headers={"X-Request-ID": "opening"})
    with api_sessions() as session:
        found = webhooks.page_deliveries(
            session, endpoint, state=None, start=None, limit=9
        )
        (delivery,) = (row.Delivery for row in found.items)

    assert isinstance(delivery, Delivery)
    assert (delivery.type, delivery.request_id) == ("proposal.discussion", "opening")
    assert delivery.data["proposal_id"] == path.rpartition("/")[2]


def test_what_is_stored_is_what_was_announced(person, api_sessions):
    path = path_of(person)
    person.post(f"{path}/open", b"")
    with api_sessions() as session:
        case = find(session, UUID(path.rpartition("/")[2]))

    assert case.row.announced == State.DISCUSSION
    assert set(case.events) == {Event.OPENED}
