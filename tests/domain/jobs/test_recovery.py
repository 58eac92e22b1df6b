from datetime import timedelta

import pytest
import sqlalchemy as sa

from domain import jobs
from domain.jobs import Job, Outcome
from domain.jobs.recovery import backoff
from tests.factories import NOW, make_job, make_lane

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
MOST = timedelta(minutes=5)


@pytest.fixture
def lane():
    return make_lane()


def submit(session, lane, **fields):
    job = make_job(lane=lane, **fields)
    jobs.submit(session, [job])
    return session.get(Job, job.id)


def fail(session, job, attempt, *, attempts_max=8):
    final = jobs.fail(
        session, job.id, attempt=attempt, attempts_max=attempts_max, now=NOW
    )
    session.refresh(job)
    return final


def change(session, job, **values):
    session.execute(sa.update(Job).where(Job.id == job.id).values(**values))
    session.refresh(job)


def state_of(session, job):
    session.refresh(job)
    return job.state


# Retry


@pytest.mark.parametrize("attempt", [1, 2, 3, 8, 9, 20, 1_000])
def test_a_retry_waits_at_random_below_a_doubling_bound(attempt):
    waits = [backoff(attempt) for _ in range(500)]
    bound = min(MOST, SECOND * 2 ** min(attempt, 20))

    assert all(timedelta(0) <= wait <= bound for wait in waits)
    assert min(waits) < bound * 0.05
    assert max(waits) > bound * 0.95


def test_a_failed_attempt_is_queued_again_for_later(session, lane):
    job = submit(session, lane)
    final = fail(session, job, 1)

    assert (final, job.state, job.attempts) == (False, "queued", 1)
    assert NOW <= job.run_at <= NOW + 2 * SECOND
    assert job.started_at == NOW
    assert job.finished_at is None


def test_the_last_attempt_fails_the_job(session, lane):
    job = submit(session, lane)
    finals = [fail(session, job, attempt, attempts_max=3) for attempt in (1, 2, 3)]

    assert finals == [False, False, True]
    assert (job.state, job.attempts, job.run_at) == ("failed", 3, None)
    assert job.finished_at == NOW


def test_a_failed_job_says_where_its_reason_is_and_not_the_reason(session, lane):
    job = submit(session, lane)
    fail(session, job, 1, attempts_max=1)

    assert job.problem == {
        "kind": "failed",
        "code": "job_failed",
        "detail": "Something unexpected went wrong; it was written to our log.",
    }


def test_an_attempt_is_counted_once_however_often_it_is_told(session, lane):
    job = submit(session, lane)
    for _ in range(3):
        fail(session, job, 1, attempts_max=2)

    assert (job.state, job.attempts) == ("queued", 1)


def test_what_has_ended_does_not_fail(session, lane):
    job = submit(session, lane)
    jobs.finish(session, [Outcome(job.id, result={})], began=NOW, now=NOW)
    fail(session, job, 1, attempts_max=1)

    assert job.state == "succeeded"


def test_a_leased_attempt_that_fails_is_counted_by_its_lease(session, lane):
    job = submit(session, lane)
    claim = jobs.lease(session, job.id, until=NOW + SECOND, now=NOW)
    fail(session, job, claim.attempts)

    assert (job.state, job.attempts, job.lease_until) == ("queued", 1, None)


# Deadlines


def test_a_job_not_begun_by_its_deadline_expires(session, lane):
    late = submit(session, lane, deadline=NOW)
    early = submit(session, lane, deadline=NOW + SECOND)
    jobs.expire(session, count=100_000, now=NOW)

    assert (state_of(session, late), state_of(session, early)) == ("expired", "queued")
    assert late.problem["code"] == "job_expired"
    assert late.finished_at == NOW


def test_a_running_job_does_not_expire(session, lane):
    job = submit(session, lane, deadline=NOW)
    jobs.lease(session, job.id, until=NOW, now=NOW - SECOND)
    jobs.expire(session, count=100_000, now=NOW + DAY)

    assert state_of(session, job) == "running"


def test_no_more_expire_at_once_than_asked_for(session, lane):
    long_ago = NOW - 1_000 * DAY
    for _ in range(5):
        submit(session, lane, submitted_at=long_ago, deadline=long_ago)
    late = long_ago + SECOND

    counts = [jobs.expire(session, count=2, now=late) for _ in range(4)]
    assert counts == [2, 2, 1, 0]


def test_a_job_someone_is_working_on_does_not_expire_under_them(sessions, lane):
    with sessions.begin() as session:
        job = submit(session, lane, deadline=NOW)
    with sessions() as worker, sessions() as reconciler:
        jobs.claim(worker, queue="ledger", lane=lane, count=1, size=1, now=NOW - SECOND)
        jobs.expire(reconciler, count=100_000, now=NOW)
        assert reconciler.get(Job, job.id).state == "queued"


# What is due


def due(session, queue, now=NOW):
    lanes = jobs.due_lanes(session, now=now)
    return sorted(lane for name, lane in lanes if name == queue)


@pytest.fixture
def queue(lane):
    return f"queue{lane}"


def test_every_lane_with_something_due_is_found_once(session, queue):
    for lane in (7, 3, 3, 9, 3):
        submit(session, lane, queue=queue)

    assert due(session, queue) == [3, 7, 9]


def test_a_lane_whose_jobs_wait_for_their_time_is_due_then(session, queue):
    change(session, submit(session, 1, queue=queue), run_at=NOW + SECOND)

    assert due(session, queue, NOW) == []
    assert due(session, queue, NOW + SECOND) == [1]


def test_a_lane_whose_jobs_are_past_their_deadline_is_not_due(session, queue):
    submit(session, 1, queue=queue, deadline=NOW)

    assert due(session, queue, NOW) == []


def test_a_lane_is_due_for_its_later_jobs_too(session, queue):
    change(session, submit(session, 1, queue=queue), run_at=NOW + SECOND)
    submit(session, 1, queue=queue)

    assert due(session, queue) == [1]


def test_lanes_where_all_is_done_are_not_due(session, queue):
    job = submit(session, 1, queue=queue)
    jobs.finish(session, [Outcome(job.id, result={})], began=NOW, now=NOW)

    assert due(session, queue) == []


# Periodic jobs


def periodic(session, kind="test.look", **values):
    job = submit(session, 0, kind=kind, application=None, principal=None)
    if values:
        change(session, job, **values)
    return job


def forget(session, before):
    jobs.forget_periodic(session, count=1_000, before=before)
    session.expire_all()


def known(session, job_id):
    return session.scalar(sa.select(Job.id).where(Job.id == job_id)) is not None


DONE = {"state": "succeeded", "result": {}}


def test_finished_periodic_jobs_are_forgotten(session):
    old = periodic(session, **DONE, finished_at=NOW - SECOND).id
    new = periodic(session, **DONE, finished_at=NOW).id
    forget(session, before=NOW)

    assert (known(session, old), known(session, new)) == (False, True)


def test_unfinished_periodic_jobs_are_kept(session):
    job = periodic(session).id
    forget(session, before=NOW + 1_000 * DAY)

    assert known(session, job)


def test_jobs_of_applications_are_kept_for_good(session, lane):
    job = submit(session, lane)
    change(session, job, **DONE, finished_at=NOW - 1_000 * DAY)
    job_id = job.id
    forget(session, before=NOW)

    assert known(session, job_id)


def test_when_a_periodic_job_last_succeeded_is_known(session):
    periodic(session, **DONE, finished_at=NOW)
    periodic(session, **DONE, finished_at=NOW + SECOND)
    periodic(session)
    periodic(session, "test.other", **DONE, finished_at=NOW + DAY)

    assert jobs.last_success(session, "test.look") == NOW + SECOND
    assert jobs.last_success(session, "test.never") is None


def test_how_each_periodic_job_ended_last_is_known(session):
    periodic(session, **DONE, finished_at=NOW)
    periodic(session, state="failed", finished_at=NOW + SECOND, problem={"code": "x"})
    # Of these nobody has run.
    periodic(session, state="expired", finished_at=NOW + DAY)
    periodic(session, "test.other")

    found = jobs.last_runs(session)
    assert found["test.look"] == ("failed", NOW + SECOND, {"code": "x"})
    assert "test.other" not in found
