"""Conventions, row "job": look, wait, list, cancel, try again."""

import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain import jobs
from tests.api.calling import operation
from tests.factories import make_owner

FIELDS = {
    "id",
    "kind",
    "application",
    "state",
    "attempts",
    "submitted_at",
    "started_at",
    "finished_at",
    "deadline",
    "queue_ms",
    "run_ms",
    "request_id",
    "links",
}
ALL_BUT_OPERATE = ("ledger:read", "ledger:spend", "ledger:credit")


def accepted(caller, name="CREDIT_ADD"):
    """Return the id of a job that was just accepted."""
    return caller.post("/ledger", operation(make_owner(), name)).json["id"]


def fail(sessions, job_id):
    """Spend the last attempt of a queued job."""
    with sessions.begin() as session:
        jobs.fail(
            session,
            UUID(job_id),
            attempt=1,
            attempts_max=1,
            now=datetime.now(UTC),
        )


def lease(sessions, job_id):
    """Begin a job as a worker does that runs it for long."""
    now = datetime.now(UTC)
    with sessions.begin() as session:
        jobs.lease(session, UUID(job_id), until=now + timedelta(hours=1), now=now)


def expire(sessions, job_id):
    """Let the clock pass the job's deadline."""
    with sessions.begin() as session:
        deadline = session.get(jobs.Job, UUID(job_id)).deadline
        jobs.expire(session, count=10_000, now=deadline)


def test_a_queued_job_has_every_field(caller):
    job = caller.get(f"/jobs/{accepted(caller)}").json

    assert set(job) == FIELDS
    assert (job["kind"], job["application"]) == ("ledger.post_operation", "commons")
    assert (job["attempts"], job["started_at"], job["queue_ms"]) == (0, None, None)


def test_a_finished_job_says_how_long_it_took_and_what_came_of_it(caller, worker):
    job_id = accepted(caller)

    job = caller.get(f"/jobs/{job_id}", query_string="wait=10").json

    assert set(job) == FIELDS | {"result"}
    assert (job["state"], job["attempts"]) == ("succeeded", 1)
    assert job["queue_ms"] >= 0
    assert job["run_ms"] >= 0


def test_times_of_a_job_are_in_order_and_in_utc(caller, worker):
    """RFC 3339 §5.6."""
    job = caller.get(f"/jobs/{accepted(caller)}", query_string="wait=10").json

    times = [
        datetime.fromisoformat(job[name])
        for name in ("submitted_at", "started_at", "finished_at")
    ]
    assert times == sorted(times)
    assert {moment.utcoffset() for moment in times} == {timedelta(0)}


def test_a_refused_job_is_still_found_with_200(caller, worker):
    """The GET worked; its problem is part of what it shows."""
    job_id = accepted(caller, "CREDIT_SPEND")

    answer = caller.get(f"/jobs/{job_id}", query_string="wait=10")

    job = answer.json
    assert (answer.status_code, job["state"]) == (200, "refused")
    assert (job["problem"]["code"], job["problem"]["status"]) == (
        "insufficient_credits",
        409,
    )


def test_a_job_says_when_to_look_again_until_it_is_finished(caller, worker, app):
    job_id = accepted(caller)

    finished = caller.get(f"/jobs/{job_id}", query_string="wait=10")

    assert "Retry-After" not in finished.headers


def test_a_queued_job_says_when_to_look_again(caller):
    answer = caller.get(f"/jobs/{accepted(caller)}")

    assert int(answer.headers["Retry-After"]) >= 1


def test_links_of_a_job_lead_somewhere(caller, worker):
    job_id = accepted(caller)

    links = caller.get(f"/jobs/{job_id}", query_string="wait=10").json["links"]

    assert set(links) == {"self", "events", "result"}
    assert [caller.get(link).status_code for link in links.values()] == [200] * 3


def test_a_long_poll_answers_as_soon_as_the_job_is_finished(
    caller, api_database, working
):
    job_id = accepted(caller)
    answers = []

    def poll():
        answers.append(caller.get(f"/jobs/{job_id}", query_string="wait=20"))

    waiting = threading.Thread(target=poll)
    began = time.monotonic()
    waiting.start()
    with working(api_database):
        waiting.join(20)

    assert answers[0].json["state"] == "succeeded"
    assert time.monotonic() - began < 10


def test_a_long_poll_in_vain_shows_the_job_as_it_is(caller):
    began = time.monotonic()

    answer = caller.get(f"/jobs/{accepted(caller)}", query_string="wait=1")

    assert (answer.status_code, answer.json["state"]) == (200, "queued")
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("wait", ["31", "-1", "x", "", "1.5", "٣", "1e1", "9" * 400])
def test_a_bad_wait_is_422(caller, wait):
    answer = caller.get(f"/jobs/{accepted(caller)}", params={"wait": wait})

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "?wait")


def test_an_unknown_job_is_404(caller):
    answer = caller.get(f"/jobs/{uuid4()}")

    assert (answer.status_code, answer.json["code"]) == (404, "no_such_job")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs/{}"),
        ("HEAD", "/jobs/{}"),
        ("GET", "/jobs/{}/events"),
        ("DELETE", "/jobs/{}"),
    ],
)
@pytest.mark.parametrize("application", ["commons", "content"])
def test_a_job_of_another_is_404(caller, new_caller, method, path, application):
    """Not even its existence is told."""
    other = new_caller(*ALL_BUT_OPERATE, application=application)

    answer = other.send(method, path.format(accepted(caller)))

    assert answer.status_code == 404


def test_an_operator_of_another_application_does_not_see_a_job(caller, new_caller):
    operator = new_caller(application="content")
    job_id = accepted(caller)

    seen = operator.get(f"/jobs/{job_id}"), operator.post(f"/jobs/{job_id}/retry")

    assert [answer.status_code for answer in seen] == [404, 404]


def test_an_operator_sees_every_job_of_its_application(caller, new_caller):
    spender = new_caller("ledger:spend", "ledger:credit")

    answer = caller.get(f"/jobs/{accepted(spender)}")

    assert answer.status_code == 200


def test_jobs_of_the_system_itself_are_nobodys(caller, api_sessions, worker):
    with api_sessions() as session:
        from_beat = session.query(jobs.Job).filter_by(application=None).first()

    answer = caller.get(f"/jobs/{from_beat.id}")

    assert answer.status_code == 404


def test_a_list_has_only_the_callers_jobs_newest_first(new_caller, caller):
    lister = new_caller(*ALL_BUT_OPERATE)
    accepted(caller)
    mine = [accepted(lister) for _ in range(3)]

    listed = lister.get("/jobs").json["jobs"]

    assert [job["id"] for job in listed] == mine[::-1]


def test_a_list_can_be_of_one_state(new_caller):
    lister = new_caller(*ALL_BUT_OPERATE)
    kept, cancelled = accepted(lister), accepted(lister)
    lister.delete(f"/jobs/{cancelled}")

    found = {
        state: [
            j["id"] for j in lister.get("/jobs", params={"state": state}).json["jobs"]
        ]
        for state in ("queued", "cancelled", "failed")
    }

    assert found == {"queued": [kept], "cancelled": [cancelled], "failed": []}


def test_a_list_can_be_of_one_kind(new_caller):
    lister = new_caller(*ALL_BUT_OPERATE)
    accepted(lister)
    entries = [operation(make_owner())]
    batch = lister.post("/ledger/batches", {"entries": entries}).json["id"]

    listed = lister.get("/jobs", params={"kind": "ledger.post_batch"}).json["jobs"]

    assert [job["id"] for job in listed] == [batch]


def test_an_unknown_state_is_422(caller):
    answer = caller.get("/jobs", params={"state": "lost"})

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "?state")


def test_a_queued_job_can_be_cancelled(caller):
    job_id = accepted(caller)

    answer = caller.delete(f"/jobs/{job_id}")

    assert (answer.status_code, answer.json["state"]) == (200, "cancelled")
    assert caller.get(f"/jobs/{job_id}").json["problem"]["code"] == "job_cancelled"


def test_a_cancelled_job_is_never_applied(caller, api_database, working):
    owner = make_owner()
    job_id = caller.post("/ledger", operation(owner)).json["id"]
    caller.delete(f"/jobs/{job_id}")

    with working(api_database):
        assert caller.done("/ledger", operation(owner)).json["balance"] == 10

    assert caller.get(f"/ledger/{owner}").json["version"] == 1


def test_cancelling_wakes_who_waits_for_the_job(caller):
    body = operation(make_owner())
    job_id = caller.post("/ledger", body).json["id"]
    answers = []

    def wait():
        answers.append(caller.done("/ledger", body))

    waiting = threading.Thread(target=wait)
    waiting.start()
    caller.delete(f"/jobs/{job_id}")
    waiting.join(10)

    assert (answers[0].status_code, answers[0].json["code"]) == (409, "job_cancelled")


def test_a_finished_job_cannot_be_cancelled(caller, worker):
    job_id = accepted(caller)
    caller.get(f"/jobs/{job_id}", query_string="wait=10")

    answer = caller.delete(f"/jobs/{job_id}")

    assert (answer.status_code, answer.json["code"]) == (409, "job_finished")


def test_a_running_job_cannot_be_cancelled(caller, api_sessions):
    job_id = accepted(caller)
    lease(api_sessions, job_id)

    answer = caller.delete(f"/jobs/{job_id}")

    assert (answer.status_code, answer.json["code"]) == (409, "job_finished")


def test_cancelling_twice_is_409(caller):
    job_id = accepted(caller)
    caller.delete(f"/jobs/{job_id}")

    answer = caller.delete(f"/jobs/{job_id}")

    assert answer.status_code == 409


def test_a_failed_job_can_be_tried_again(caller, api_sessions, api_database, working):
    job_id = accepted(caller)
    fail(api_sessions, job_id)

    answer = caller.post(f"/jobs/{job_id}/retry")
    with working(api_database):
        job = caller.get(f"/jobs/{job_id}", query_string="wait=10").json

    assert (answer.status_code, answer.headers["Location"]) == (202, f"/jobs/{job_id}")
    assert job["state"] == "succeeded"


def test_only_operators_try_again(new_caller, api_sessions):
    spender = new_caller(*ALL_BUT_OPERATE)
    job_id = accepted(spender)
    fail(api_sessions, job_id)

    answer = spender.post(f"/jobs/{job_id}/retry")

    assert (answer.status_code, answer.json["scope"]) == (403, "jobs:operate")


def test_only_failed_jobs_are_tried_again(caller):
    job_id = accepted(caller)

    answer = caller.post(f"/jobs/{job_id}/retry")

    assert (answer.status_code, answer.json["code"]) == (409, "job_not_failed")


def test_an_unknown_job_cannot_be_tried_again(caller):
    answer = caller.post(f"/jobs/{uuid4()}/retry")

    assert answer.status_code == 404


def test_a_failed_job_answers_500_to_who_waits_and_keeps_its_reason(
    caller, api_sessions
):
    body = operation(make_owner())
    fail(api_sessions, caller.post("/ledger", body).json["id"])

    answer = caller.done("/ledger", body)

    assert (answer.status_code, answer.json["code"]) == (500, "job_failed")
    assert set(answer.json) == {"type", "title", "status", "detail", "instance", "code"}


def test_an_expired_job_answers_503_with_when_to_try_again(caller, api_sessions):
    """RFC 9110 §15.6.4: a 503 may say Retry-After; ours always does."""
    body = operation(make_owner())
    expire(api_sessions, caller.post("/ledger", body).json["id"])

    answer = caller.done("/ledger", body)

    assert (answer.status_code, answer.json["code"]) == (503, "job_expired")
    assert int(answer.headers["Retry-After"]) >= 1
