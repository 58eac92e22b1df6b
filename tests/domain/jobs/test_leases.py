from datetime import timedelta

import pytest

from domain import jobs
from domain.errors import Conflict
from domain.jobs import Job, Outcome, Superseded
from tests.factories import NOW, make_job, make_lane

SECOND = timedelta(seconds=1)
UNTIL = NOW + 10 * SECOND


@pytest.fixture
def lane():
    return make_lane()


@pytest.fixture
def job_id(session, lane):
    job = make_job(lane=lane)
    jobs.submit(session, [job])
    return job.id


def lease(session, job_id, now=NOW):
    return jobs.lease(session, job_id, until=now + 10 * SECOND, now=now)


def take_back(session, *, attempts_max=8, now=UNTIL):
    return jobs.take_back(session, attempts_max=attempts_max, now=now)


def done(claim, result=None):
    return Outcome(claim.id, result=result or {"n": 1})


def test_a_leased_job_runs_and_counts_as_an_attempt(session, job_id):
    claim = lease(session, job_id)
    job = session.get(Job, job_id)

    assert (claim.id, claim.attempts) == (job_id, 1)
    assert (job.state, job.started_at, job.lease_until) == ("running", NOW, UNTIL)


def test_a_job_is_leased_to_one(session, job_id):
    lease(session, job_id)

    assert lease(session, job_id) is None


def test_a_leased_job_is_not_claimed(session, job_id, lane):
    lease(session, job_id)

    assert (
        jobs.claim(session, queue="ledger", lane=lane, count=9, size=9, now=NOW) == []
    )


def test_a_leased_job_ends_with_its_result(session, job_id):
    claim = lease(session, job_id)
    jobs.finish_leased(session, claim, done(claim), now=UNTIL)
    job = session.get(Job, job_id)

    assert (job.state, job.result, job.problem) == ("succeeded", {"n": 1}, None)
    assert (job.lease_until, job.finished_at) == (None, UNTIL)


def test_a_leased_job_may_end_without_a_word(session, job_id):
    claim = lease(session, job_id)
    jobs.finish_leased(session, claim, Outcome(job_id), now=UNTIL)

    assert session.get(Job, job_id).state == "succeeded"


def test_a_leased_job_may_be_refused(session, job_id):
    claim = lease(session, job_id)
    refused = Outcome(job_id, refusal=Conflict("No."))
    jobs.finish_leased(session, claim, refused, now=UNTIL)
    job = session.get(Job, job_id)

    assert (job.state, job.problem["detail"]) == ("refused", "No.")


def test_a_renewed_lease_is_not_taken_back(session, job_id):
    claim = lease(session, job_id)
    jobs.renew(session, claim, until=UNTIL + SECOND)

    assert take_back(session, now=UNTIL) == []
    assert session.get(Job, job_id).state == "running"


def test_a_job_is_taken_back_when_its_worker_fell_silent(session, job_id, lane):
    lease(session, job_id)

    assert ("ledger", lane) not in take_back(session, now=UNTIL - SECOND)
    assert ("ledger", lane) in take_back(session, now=UNTIL)
    job = session.get(Job, job_id)
    assert (job.state, job.lease_until, job.finished_at) == ("queued", None, None)
    assert job.problem["code"] == "lease_expired"


def test_a_job_taken_back_is_leased_again_as_the_next_attempt(session, job_id):
    lease(session, job_id)
    take_back(session)

    assert lease(session, job_id, now=UNTIL).attempts == 2


def test_whoever_lost_the_lease_stores_nothing(session, job_id):
    old = lease(session, job_id)
    take_back(session)
    with pytest.raises(Superseded):
        jobs.finish_leased(session, old, done(old), now=UNTIL)
    new = lease(session, job_id, now=UNTIL)

    with pytest.raises(Superseded):
        jobs.finish_leased(session, old, done(old), now=UNTIL)
    with pytest.raises(Superseded):
        jobs.renew(session, old, until=UNTIL)
    jobs.finish_leased(session, new, done(new, {"by": "new"}), now=UNTIL)
    assert session.get(Job, job_id).result == {"by": "new"}


def test_whoever_lost_the_lease_fails_nothing(session, job_id):
    lease(session, job_id)
    take_back(session)
    lease(session, job_id, now=UNTIL)
    jobs.fail(session, job_id, attempt=1, attempts_max=1, now=UNTIL)

    assert session.get(Job, job_id).state == "running"


def test_a_finished_job_is_not_finished_again(session, job_id):
    claim = lease(session, job_id)
    jobs.finish_leased(session, claim, done(claim), now=UNTIL)

    with pytest.raises(Superseded):
        jobs.finish_leased(session, claim, done(claim), now=UNTIL)


def test_a_job_whose_attempts_are_spent_fails_when_taken_back(session, job_id):
    for attempt in range(3):
        lease(session, job_id, now=NOW + attempt * 20 * SECOND)
        take_back(session, attempts_max=3, now=NOW + (attempt + 1) * 20 * SECOND)
    job = session.get(Job, job_id)

    assert (job.state, job.attempts) == ("failed", 3)
    assert job.finished_at == NOW + 60 * SECOND
