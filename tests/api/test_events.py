"""Conventions, row "job": its states as server-sent events (WHATWG HTML §9.2)."""

import json
import threading

import pytest

from tests.api.calling import operation
from tests.factories import make_owner


class Event(dict):
    """The fields of one event, by name."""


def events(answer):
    """Return the events of a stream that has ended, without comments and `retry`."""
    blocks = [block for block in answer.text.split("\n\n") if block]
    parsed = [
        dict(line.split(": ", 1) for line in block.split("\n") if line[0] != ":")
        for block in blocks
    ]
    return [fields for fields in parsed if "data" in fields]


@pytest.fixture
def job_id(caller):
    return caller.post("/ledger", operation(make_owner())).json["id"]


@pytest.fixture
def finished(caller, job_id, worker):
    caller.get(f"/jobs/{job_id}", query_string="wait=10")
    return job_id


def test_a_stream_is_what_a_browser_expects(caller, finished):
    """WHATWG HTML §9.2.5: the media type; no cache or proxy may hold it back."""
    answer = caller.get(f"/jobs/{finished}/events")

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"


def test_a_stream_tells_the_states_and_ends_after_the_last(
    caller, job_id, api_database, working
):
    answers = []

    def listen():
        answers.append(caller.get(f"/jobs/{job_id}/events"))

    listening = threading.Thread(target=listen)
    listening.start()
    with working(api_database):
        listening.join(20)

    told = events(answers[0])
    assert told[-1]["event"] == "succeeded"
    assert json.loads(told[-1]["data"]) == caller.get(f"/jobs/{job_id}").json


def test_a_stream_says_how_soon_to_come_back(caller, finished):
    """WHATWG HTML §9.2.6: `retry` in milliseconds."""
    answer = caller.get(f"/jobs/{finished}/events")

    assert answer.text.startswith("retry: 1000\n\n")


def test_a_stream_cut_before_the_end_goes_on_where_it_was(caller, finished):
    """WHATWG HTML §9.2.4: Last-Event-ID."""
    answer = caller.get(
        f"/jobs/{finished}/events", headers={"Last-Event-ID": "0-queued"}
    )

    assert [event["event"] for event in events(answer)] == ["succeeded"]


def test_who_has_seen_the_end_is_told_to_stop(caller, finished):
    """WHATWG HTML §9.2.3: 204 keeps an EventSource from coming back."""
    last = events(caller.get(f"/jobs/{finished}/events"))[-1]["id"]

    answer = caller.get(f"/jobs/{finished}/events", headers={"Last-Event-ID": last})

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("last", ["", "nonsense", "9-succeeded", "é", "x" * 7_000])
def test_an_unknown_last_event_is_as_none(caller, finished, last):
    answer = caller.get(f"/jobs/{finished}/events", headers={"Last-Event-ID": last})

    assert [event["event"] for event in events(answer)] == ["succeeded"]


def test_a_stream_of_an_ended_job_tells_its_refusal(caller, worker):
    body = operation(make_owner(), "CREDIT_SPEND")
    refused = caller.post("/ledger", body).json["id"]
    caller.get(f"/jobs/{refused}", query_string="wait=10")

    last = events(caller.get(f"/jobs/{refused}/events"))[-1]

    assert last["event"] == "refused"
    assert json.loads(last["data"])["problem"]["code"] == "insufficient_credits"


def test_head_of_a_stream_does_not_wait_for_its_end(caller, job_id):
    answer = caller.send("HEAD", f"/jobs/{job_id}/events")

    assert (answer.status_code, answer.content) == (200, b"")
