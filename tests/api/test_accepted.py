"""Conventions, row "asynchronous writes": 202 is a promise, 201 its fulfilment."""

import re
import time
from uuid import UUID

import pytest

from tests.api.calling import PROBLEM, operation, transfer
from tests.factories import make_owner

WRITE = "/ledger"

MALFORMED = [
    "",
    "wait",
    "wait=",
    "wait=soon",
    "wait=-1",
    "wait=1.5",
    "wait=1x",
    "wait==1",
    "wait=²",
    "nowait=1",
    "x-wait=1",
    "wait-for=1",
    'note="wait=1"',
    'note="a, wait=1"',
    "note; wait=1",
    'wait="1',
    "wait=" + "9" * 5_000,
    ",,,;;;===",
]
WELL_FORMED = [
    "wait=1",
    "WAIT=1",
    'wait="1"',
    "wait = 1",
    "respond-async, wait=1",
    "return=minimal,wait=1",
    'note="a, wait=20", wait=1',
    "wait=1; really",
    "wait=1, wait=20",
    " , wait=1,",
]


def test_a_write_is_answered_with_202_and_where_to_look(caller):
    """RFC 9110 §15.3.3: the representation points to a status monitor."""
    answer = caller.post(WRITE, operation(make_owner()))

    job = answer.json
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/jobs/{UUID(job['id'])}"


def test_an_accepted_write_is_described_by_its_job(caller):
    answer = caller.post(WRITE, operation(make_owner()))

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == caller.get(answer.headers["Location"]).json


def test_202_says_when_to_look_again(caller):
    """RFC 9110 §10.2.3: Retry-After in seconds."""
    answer = caller.post(WRITE, operation(make_owner()))

    assert int(answer.headers["Retry-After"]) >= 1


def test_an_accepted_job_is_there_at_once(caller):
    answer = caller.post(WRITE, operation(make_owner()))

    looked = caller.get(answer.headers["Location"])
    assert (looked.status_code, looked.json["state"]) == (200, "queued")


def test_who_waits_gets_the_created_resource(caller, worker):
    """RFC 9110 §15.3.2: 201 with the Location of what was created."""
    owner = make_owner()

    answer = caller.done(WRITE, operation(owner))

    assert answer.status_code == 201
    assert answer.json["balance"] == 10
    assert answer.json["transfer"]["credit"]["owner_id"] == owner


def test_the_location_of_a_created_transfer_shows_it(caller, worker):
    answer = caller.done(WRITE, operation(make_owner()))

    location = answer.headers["Location"]
    assert location == f"/ledger/transfers/{answer.json['transfer']['id']}"
    assert caller.get(location).json == answer.json["transfer"]


def test_a_created_answer_still_names_its_job(caller, worker):
    answer = caller.done(WRITE, operation(make_owner()))

    job = caller.get(f"/jobs/{answer.json['transfer']['job_id']}").json
    assert job["state"] == "succeeded"
    assert job["result"] == answer.json


def test_who_waits_gets_a_refusal_with_its_own_status(caller, worker):
    answer = caller.done(WRITE, operation(make_owner(), "CREDIT_SPEND"))

    refusal = answer.json
    assert answer.status_code == refusal["status"] == 409
    assert answer.headers["Content-Type"] == PROBLEM
    assert (refusal["code"], refusal["available"], refusal["needed"]) == (
        "insufficient_credits",
        0,
        1,
    )


@pytest.mark.parametrize("name", ["CREDIT_ADD", "CREDIT_SPEND"])
def test_a_finished_answer_links_to_its_job(caller, worker, name):
    """RFC 8631 §4.3: the relation `status`; neither answer is the job itself."""
    answer = caller.done(WRITE, operation(make_owner(), name))

    [path] = re.fullmatch("<(.*)>; rel=status", answer.headers["Link"]).groups()
    assert caller.get(path).json["kind"] == "ledger.post_operation"


def test_a_refusal_names_its_request(caller, worker):
    answer = caller.done(
        WRITE,
        operation(make_owner(), "CREDIT_SPEND"),
        headers={"X-Request-ID": "mine-1"},
    )

    assert answer.json["instance"] == "mine-1"


def test_waiting_in_vain_ends_with_202(caller):
    """RFC 7240 §4.3: past the wait, the server may answer asynchronously."""
    began = time.monotonic()

    answer = caller.post(WRITE, operation(make_owner()), headers={"Prefer": "wait=1"})

    assert answer.status_code == 202
    assert 0.9 < time.monotonic() - began < 3


def test_an_applied_preference_is_echoed(caller, worker):
    """RFC 7240 §3: Preference-Applied."""
    answers = [
        caller.post(WRITE, body, headers={"Prefer": "wait=7"})
        for body in (operation(make_owner()), operation(make_owner(), "CREDIT_SPEND"))
    ]

    applied = [answer.headers["Preference-Applied"] for answer in answers]
    assert applied == ["wait=7", "wait=7"]


@pytest.mark.parametrize("seconds", ["31", "999", "00031", "9" * 12])
def test_a_wait_beyond_thirty_seconds_is_thirty(caller, worker, seconds):
    answer = caller.post(
        WRITE, operation(make_owner()), headers={"Prefer": f"wait={seconds}"}
    )

    assert answer.status_code == 201
    assert answer.headers["Preference-Applied"] == "wait=30"


def test_a_wait_of_nothing_is_answered_at_once(caller, worker):
    answer = caller.post(WRITE, operation(make_owner()), headers={"Prefer": "wait=0"})

    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "wait=0"


def test_an_asynchronous_answer_can_be_preferred(caller, worker):
    """RFC 7240 §4.1: respond-async."""
    answer = caller.post(
        WRITE, operation(make_owner()), headers={"Prefer": "respond-async"}
    )

    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"


@pytest.mark.parametrize("preference", MALFORMED, ids=lambda text: text[:20])
def test_a_malformed_preference_is_ignored(caller, preference):
    """RFC 7240 §2: what cannot be understood is as if it were not there."""
    answer = caller.post(WRITE, operation(make_owner()), headers={"Prefer": preference})

    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize("preference", WELL_FORMED)
def test_a_preference_is_understood_however_it_is_written(caller, worker, preference):
    """RFC 7240 §2: names without case, values as tokens or quoted, first one wins."""
    answer = caller.post(WRITE, operation(make_owner()), headers={"Prefer": preference})

    assert answer.status_code == 201
    assert "wait=1" in answer.headers["Preference-Applied"].split(", ")


def test_an_answer_that_depends_on_prefer_says_so(caller):
    """RFC 7240 §2: Vary lists Prefer where it alters the answer."""
    answer = caller.post(WRITE, operation(make_owner()))

    assert "Prefer" in answer.headers["Vary"]


def test_a_refused_job_stores_nothing_in_the_books(caller, worker):
    source = make_owner()

    answer = caller.done("/ledger/transfers", transfer(source, make_owner(), 5))

    assert answer.status_code == 409
    assert caller.get(f"/ledger/{source}").json["version"] == 0
