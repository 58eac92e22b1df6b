"""Proposals over HTTP: written, opened, amended, and what is done when they passed."""

import json
from functools import partial
from uuid import UUID

import pytest

from domain.governance.texts import VERSIONS_MAX
from tests.api.calling import pointers
from tests.api.holders import send as send_signed
from tests.api.proposing import (
    PROPOSALS,
    REASON,
    draft,
    make_further,
    patch,
    path_of,
    refused,
)
from tests.governance_time import age
from tests.proposals import TITLE, WORDS, make_decided, make_spend

STATEMENT = {"statement": "Planted, twelve of them."}


@pytest.fixture
def made(api_sessions):
    """Return a maker of proposals that are further on than HTTP lets them be."""
    return partial(make_further, api_sessions)


# Drafting


def test_a_draft_is_answered_with_where_it_is_and_its_tag(person):
    made = draft(person, tags=["trees"])
    shown = person.get(made.headers["Location"])

    assert made.status_code == 201
    assert made.headers["ETag"] == shown.headers["ETag"]
    assert {*made.json} - {*shown.json} == {"similar"}
    assert shown.json.items() <= made.json.items()
    assert (shown.json["state"], shown.json["author"]) == ("draft", person.id)


def test_who_drafts_is_shown_what_was_proposed_in_such_words(person):
    first = draft(person, title="A windmill for the polder").json["id"]
    second = draft(person, title="The windmill in the polder")

    assert first in {one["id"] for one in second.json["similar"]}
    assert second.json["id"] not in {one["id"] for one in second.json["similar"]}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"title": "Four"}, "/title"),
        ({"title": "x" * 256}, "/title"),
        ({"title": "Two\nlines"}, "/title"),
        ({"description": "x" * 19}, "/description"),
        ({"description": "x" * 20_001}, "/description"),
        ({"options": ["x" * 501]}, "/options/0"),
        ({"options": ["x"] * 51}, "/options"),
        ({"tags": [""]}, "/tags/0"),
        ({"tags": ["x"] * 11}, "/tags"),
        ({"details": []}, "/details"),
        ({"details": {"amount": 1.5}}, "/details"),
        ({"council_id": "mine"}, "/council_id"),
        ({"amends": 7}, "/amends"),
        ({"state": "passed"}, "/state"),
        ({"author": "somebody"}, "/author"),
        ({"announced": "passed"}, "/announced"),
    ],
    ids=str,
)
def test_a_proposal_that_cannot_be_is_422_and_says_where(person, fields, pointer):
    answer = draft(person, **fields)

    assert answer.status_code == 422
    assert pointer in pointers(answer)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "coup"}, (404, "no_such_proposal_type")),
        ({"type": "council_election"}, (422, "bad_proposal")),
        ({"type": "recall"}, (422, "bad_proposal")),
        ({"type": "budget"}, (422, "bad_proposal")),
        ({"options": ["yes", "no"]}, (422, "bad_proposal")),
        ({"amends": str(UUID(int=9))}, (404, "no_such_proposal")),
    ],
    ids=str,
)
def test_what_its_type_does_not_allow_is_refused(person, fields, expected):
    assert refused(draft(person, **fields)) == expected


# Changing


def test_a_change_is_a_version_that_says_what_it_changed(person):
    path = path_of(person)
    changed = patch(person, path, {"title": "Plant maples along the canal"})
    versions = person.get(f"{path}/versions").json["versions"]

    assert (changed.status_code, changed.json["version"]) == (200, 2)
    assert changed.json["description"] == WORDS
    assert changed.json == person.get(path).json
    assert f"-{TITLE}" in versions[0]["diff"]


def test_versions_are_bounded_and_come_in_pages(person):
    path = path_of(person)
    for number in range(VERSIONS_MAX - 1):
        assert patch(person, path, {"title": f"Plant {number}"}).status_code == 200

    again = patch(person, path, {"title": "Plant one more"})
    assert refused(again) == (409, "too_many_versions")
    first = person.get(f"{path}/versions?limit=2").json
    rest = person.get(first["next"]).json
    assert [one["version"] for one in first["versions"]] == [50, 49]
    assert [one["version"] for one in rest["versions"]] == [48, 47]


def test_who_changes_has_seen_what_they_change(person):
    path = path_of(person)
    edits = [{}, {"If-Match": '"other"'}, {"If-Match": "*"}]
    body = {"title": "Plant maples along the canal"}
    answers = [person.send("PATCH", path, json=body, headers=edit) for edit in edits]

    assert [answer.status_code for answer in answers] == [428, 412, 200]


def test_the_tag_follows_the_state_and_the_state_the_time(person, api_database):
    path = path_of(person)
    tags, states = [], []
    person.post(f"{path}/open", b"")
    for hours in (0, 73, 24, 24 * 7):
        age(api_database, path.rpartition("/")[2], hours=hours)
        shown = person.get(path)
        tags.append(shown.headers["ETag"])
        states.append(shown.json["state"])
        again = person.get(path, headers={"If-None-Match": tags[-1]})
        assert again.status_code == 304

    assert states == ["discussion", "frozen", "voting", "closed"]
    assert len(set(tags)) == 4


def test_after_the_freeze_nothing_changes(person, api_database):
    path = path_of(person)
    other = path_of(person, amends=path.rpartition("/")[2])
    for one in (path, other):
        person.post(f"{one}/open", b"")
    age(api_database, path.rpartition("/")[2], hours=73)
    body = {"amendment_id": other.rpartition("/")[2], "version": 1}
    answers = [
        patch(person, path, {"title": "Plant maples along the canal"}),
        person.post(f"{path}/adoption", body),
        person.post(f"{path}/open", b""),
        draft(person, amends=path.rpartition("/")[2]),
    ]

    assert {refused(answer) for answer in answers} == {(409, "wrong_state")}
    assert person.get(path).json["version"] == 1


def test_the_author_takes_over_an_amendment(person, new_person):
    path, other = path_of(person), new_person()
    amendment = path_of(
        other, amends=path.rpartition("/")[2], description=f"{WORDS} And a bench."
    )
    body = {"amendment_id": amendment.rpartition("/")[2], "version": 1}
    before = person.post(f"{path}/adoption", body)
    other.post(f"{amendment}/open", b"")

    assert refused(before) == (409, "wrong_state")
    assert refused(other.post(f"{path}/adoption", body)) == (
        *(403, "not_your_proposal"),
    )
    adopted = person.post(f"{path}/adoption", body)
    assert (adopted.status_code, adopted.json["version"]) == (200, 2)
    assert adopted.json["description"].endswith("And a bench.")


def test_the_author_takes_over_what_they_have_read(person, new_person):
    path, other = path_of(person), new_person()
    amendment = path_of(other, amends=path.rpartition("/")[2])
    other.post(f"{amendment}/open", b"")
    patch(other, amendment, {"title": "Pave the canal over"})
    body = {"amendment_id": amendment.rpartition("/")[2]}
    old = person.post(f"{path}/adoption", {**body, "version": 1})

    assert refused(old) == (409, "amendment_changed")
    assert old.json["version"] == 2
    assert pointers(person.post(f"{path}/adoption", body)) == ["/version"]
    for wrong in (0, "1", 2**31):
        answer = person.post(f"{path}/adoption", {**body, "version": wrong})
        assert pointers(answer) == ["/version"]
    adopted = person.post(f"{path}/adoption", {**body, "version": 2})
    assert adopted.json["title"] == "Pave the canal over"


# Opening, cancelling


def test_what_is_opened_is_under_way_and_tells_what_its_lots_are_drawn_with(person):
    path = path_of(person)
    opened = person.post(f"{path}/open", b"")

    assert (opened.status_code, opened.json["state"]) == (200, "discussion")
    assert len(opened.json["commitment"]) == 64
    assert opened.json["timeline"].keys() >= {"frozen_at", "closes_at"}
    assert opened.headers["ETag"] == person.get(path).headers["ETag"]


def test_others_may_look_and_change_nothing(person, new_person):
    path, other = path_of(person), new_person()

    assert other.get(path).status_code == 200
    for answer in (
        patch(other, path, {"title": "Plant maples along the canal"}),
        other.post(f"{path}/open", b""),
        other.post(f"{path}/cancel", REASON),
        other.post(f"{path}/outcome", STATEMENT),
    ):
        assert refused(answer) == (403, "not_your_proposal")


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_who_operates_it_may_cancel(person, new_person, role):
    path, operator = path_of(person), new_person(role)
    cancelled = operator.post(f"{path}/cancel", REASON)

    assert cancelled.json["state"] == "cancelled"
    (event,) = cancelled.json["events"]
    assert (event["actor"], event["details"]) == (operator.id, REASON)
    again = person.post(f"{path}/cancel", REASON)
    assert refused(again) == (409, "wrong_state")


def test_who_cancels_says_why(person):
    answer = person.post(f"{path_of(person)}/cancel", {})

    assert pointers(answer) == ["/reason"]


# After the decision


def test_a_guardian_vetoes_what_is_queued(new_person, made):
    path, guardian = made(make_spend), new_person("guardian")
    assert guardian.get(path).json["state"] == "queued"
    vetoed = guardian.post(f"{path}/veto", REASON)

    assert (vetoed.status_code, vetoed.json["state"]) == (200, "vetoed")
    assert refused(guardian.post(f"{path}/veto", REASON)) == (409, "wrong_state")


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": None}], ids=str)
def test_a_guardian_who_vetoes_says_why(new_person, made, body):
    path, guardian = made(make_spend), new_person("guardian")
    answer = guardian.post(f"{path}/veto", body)

    assert (answer.status_code, pointers(answer)) == (422, ["/reason"])
    assert guardian.get(path).json["state"] == "queued"


def test_others_have_no_veto_and_guardians_none_on_everything(new_person, made):
    path = made(make_spend)
    for role in ("moderator", "operator", "council", "admin"):
        answer = new_person(role).post(f"{path}/veto", REASON)
        assert refused(answer) == (403, "missing_scope")
    other = made(make_decided, type_name="simple_majority")
    answer = new_person("guardian").post(f"{other}/veto", REASON)
    assert refused(answer) == (409, "no_veto")


def test_the_author_writes_down_once_what_came_of_it(person, made):
    path = made(make_decided, type_name="simple_majority", author=person.user.id)
    assert person.get(path).json["state"] == "passed"
    concluded = person.post(f"{path}/outcome", STATEMENT)

    assert (concluded.status_code, concluded.json["state"]) == (200, "executed")
    assert concluded.json["events"][-1]["details"] == STATEMENT
    assert refused(person.post(f"{path}/outcome", STATEMENT)) == (409, "wrong_state")


def test_what_is_carried_out_has_no_outcome_to_write(person, made):
    path = made(make_spend, author=person.user.id)

    assert refused(person.post(f"{path}/outcome", STATEMENT)) == (409, "wrong_state")


# Signed


def spend_body(person):
    return {
        "type": "treasury_spend",
        "title": "Pay for the trees",
        "description": WORDS,
        "details": {"to": person.id, "amount": 12},
    }


def test_who_has_no_proved_wallet_proposes_no_spend(person):
    answer = draft(person, **spend_body(person))

    assert refused(answer) == (409, "no_proved_wallet")


def test_a_spend_is_proposed_changed_and_opened_signed(person):
    signer = person.signer()
    unsigned = draft(person, **spend_body(person))
    made = send_signed(person, spend_body(person), path=PROPOSALS, signer=signer)
    path = made.headers["Location"]
    refusals = [
        unsigned,
        patch(person, path, {"title": "Pay for more trees"}),
        person.post(f"{path}/open", b""),
    ]

    assert {refused(answer) for answer in refusals} == {(403, "signature_required")}
    assert made.status_code == 201
    opened = send_signed(person, b"", path=f"{path}/open", signer=signer)
    assert (opened.status_code, opened.json["state"]) == (200, "discussion")
    body = {"title": "Pay for the trees and the benches"}
    assert person.change(path, body, signer=signer).status_code == 200


def test_a_signature_is_good_for_one_spend_and_for_nothing_else(person):
    signer, body = person.signer(), spend_body(person)
    other = {**body, "details": {"to": person.id, "amount": 13}}
    headers = signer.headers("POST", PROPOSALS, json.dumps(body).encode())
    answers = [person.post(PROPOSALS, one, headers=headers) for one in (body, other)]
    again = person.post(PROPOSALS, body, headers=headers)

    assert answers[0].status_code == 201
    assert refused(answers[1]) == (403, "invalid_signature")
    assert refused(again) == (409, "signature_used")
