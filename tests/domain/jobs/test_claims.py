from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from domain import jobs
from domain.errors import Conflict
from domain.ids import uuid7
from domain.jobs import Job, JobFinished, Outcome, Superseded, Viewer
from tests.factories import NOW, make_job, make_lane
from tests.waiting import eventually

LATER = NOW + timedelta(seconds=1)


@pytest.fixture
def lane():
    return make_lane()


def submit(session, lane, count=1, **fields):
    made = [make_job(lane=lane, **fields) for _ in range(count)]
    jobs.submit(session, made)
    return [job.id for job in made]


def claim(session, lane, *, count=100, size=1_000, now=NOW):
    claims = jobs.claim(
        session, queue="ledger", lane=lane, count=count, size=size, now=now
    )
    return [claim.id for claim in claims]


def change(session, job_id, **values):
    session.execute(sa.update(Job).where(Job.id == job_id).values(**values))


def finish(session, *outcomes):
    jobs.finish(session, outcomes, began=NOW, now=LATER)


def test_jobs_are_claimed_in_the_order_accepted(session, lane):
    ids = submit(session, lane, 20)

    assert claim(session, lane) == ids


def test_a_claim_is_what_a_handler_needs_of_a_job(session, lane):
    job = make_job(lane=lane, payload='{"n": 1}', request_id="r", trace="t")
    jobs.submit(session, [job])
    (made,) = jobs.claim(session, queue="ledger", lane=lane, count=1, size=1, now=NOW)

    assert made == (
        job.id,
        job.kind,
        job.application,
        job.principal,
        {"n": 1},
        0,
        job.submitted_at,
        "r",
        "t",
    )


def test_no_more_are_claimed_than_asked_for(session, lane):
    ids = submit(session, lane, 5)

    assert claim(session, lane, count=3) == ids[:3]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=9), size=st.integers(1, 30)
)
def test_jobs_are_claimed_until_the_budget_is_reached(session, sizes, size):
    """The first is taken whatever its size; the last may pass the budget."""
    lane = make_lane()
    ids = [submit(session, lane, size=each)[0] for each in sizes]
    wanted = [one for place, one in enumerate(ids) if sum(sizes[:place]) < size]

    assert claim(session, lane, size=size) == wanted


def test_a_job_larger_than_the_budget_is_claimed_alone(session, lane):
    ids = submit(session, lane, size=5_000) + submit(session, lane)

    assert claim(session, lane, size=500) == ids[:1]


def test_only_jobs_of_the_lane_and_queue_are_claimed(session, lane):
    submit(session, make_lane())
    submit(session, lane, queue="maintenance")
    ids = submit(session, lane)

    assert claim(session, lane) == ids


def test_a_job_to_be_run_later_is_claimed_later(session, lane):
    first, second = submit(session, lane, 2)
    change(session, first, run_at=LATER)

    assert claim(session, lane, now=NOW) == [second]
    assert claim(session, lane, now=LATER) == [first, second]


def test_a_job_past_its_deadline_is_not_claimed(session, lane):
    submit(session, lane, deadline=LATER)

    assert claim(session, lane, now=LATER) == []
    assert len(claim(session, lane, now=NOW)) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"state": "cancelled", "finished_at": NOW},
        {"state": "expired", "finished_at": NOW},
        {"state": "succeeded", "finished_at": NOW, "result": {}},
        {"state": "refused", "finished_at": NOW, "problem": {}},
        {"state": "failed", "finished_at": NOW, "problem": {}},
        {"state": "running", "lease_until": NOW},
    ],
    ids=lambda values: values["state"],
)
def test_only_queued_jobs_are_claimed(session, lane, values):
    (job,) = submit(session, lane)
    change(session, job, **values)

    assert claim(session, lane) == []


def test_jobs_claimed_by_one_are_passed_over_by_another(sessions, lane):
    with sessions.begin() as session:
        ids = submit(session, lane, 4)
    with sessions() as one, sessions() as other:
        assert claim(one, lane, count=2) == ids[:2]
        assert claim(other, lane, count=4) == ids[2:]


# The lane


def test_a_lane_has_one_writer_until_its_transaction_ends(sessions, lane):
    with sessions() as one, sessions() as other:
        assert jobs.hold_lane(one, queue="ledger", lane=lane)
        assert not jobs.hold_lane(other, queue="ledger", lane=lane)
        one.rollback()
        assert jobs.hold_lane(other, queue="ledger", lane=lane)


def test_lanes_and_queues_are_held_apart(sessions, lane):
    with sessions() as one, sessions() as other:
        assert jobs.hold_lane(one, queue="ledger", lane=lane)
        assert jobs.hold_lane(other, queue="ledger", lane=make_lane())
        assert jobs.hold_lane(other, queue="maintenance", lane=lane)


# Outcomes


def test_a_result_ends_a_job(session, lane):
    (job_id,) = submit(session, lane)
    finish(session, Outcome(job_id, result={"n": 1}))
    job = session.get(Job, job_id)

    assert (job.state, job.result, job.problem) == ("succeeded", {"n": 1}, None)
    assert (job.attempts, job.started_at, job.finished_at) == (1, NOW, LATER)


def test_a_refusal_ends_a_job(session, lane):
    (job_id,) = submit(session, lane)
    finish(session, Outcome(job_id, refusal=Conflict("No.", available=3)))
    job = session.get(Job, job_id)

    assert (job.state, job.result) == ("refused", None)
    assert job.problem == {
        "kind": "conflict",
        "code": "conflict",
        "detail": "No.",
        "available": 3,
    }


def test_a_success_forgets_the_trouble_before_it(session, lane):
    (job_id,) = submit(session, lane)
    jobs.fail(session, job_id, attempt=1, attempts_max=8, now=NOW)
    finish(session, Outcome(job_id, result={}))
    job = session.get(Job, job_id)

    assert (job.attempts, job.problem, job.run_at) == (2, None, None)


def test_many_outcomes_are_stored_each_with_its_job(session, lane):
    ids = submit(session, lane, 50)
    finish(session, *(Outcome(one, result={"id": str(one)}) for one in reversed(ids)))

    stored = session.scalars(sa.select(Job).where(Job.lane == lane))
    assert all(job.result == {"id": str(job.id)} for job in stored)


def test_a_job_that_ended_meanwhile_spoils_the_batch(session, lane):
    ids = submit(session, lane, 2)
    change(session, ids[1], state="cancelled", finished_at=NOW)

    with pytest.raises(IntegrityError, match="may not go from cancelled to succeeded"):
        finish(session, *(Outcome(one, result={}) for one in ids))


def test_an_outcome_for_no_job_spoils_the_batch(session):
    with pytest.raises(Superseded):
        finish(session, Outcome(uuid7(), result={}))


def test_two_outcomes_for_one_job_spoil_the_batch(session, lane):
    (job_id,) = submit(session, lane)

    with pytest.raises(Superseded):
        finish(session, Outcome(job_id, result={}), Outcome(job_id, result={}))


def test_no_outcomes_are_nothing_to_store(session):
    finish(session)


def test_cancelling_a_claimed_job_waits_and_comes_too_late(
    sessions, lane, owner_engine
):
    with sessions.begin() as session:
        (job_id,) = submit(session, lane, principal=(principal := uuid7()))
    viewer = Viewer("commons", principal, operator=False)

    def cancel():
        with sessions.begin() as session:
            jobs.cancel(session, job_id, viewer, now=NOW)

    def waits():
        blocked = sa.text("""
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'
        """)
        with owner_engine.connect() as connection:
            return connection.scalar(blocked)

    with ThreadPoolExecutor(1) as pool:
        with sessions.begin() as worker:
            claim(worker, lane)
            cancelled = pool.submit(cancel)
            eventually(waits)
            finish(worker, Outcome(job_id, result={}))
        with pytest.raises(JobFinished):
            cancelled.result()


# What is due


def test_a_lane_with_a_job_that_is_due_is_pending(session, lane):
    def pending(now):
        return jobs.pending(session, queue="ledger", lane=lane, now=now)

    assert not pending(NOW)
    (job_id,) = submit(session, lane, deadline=NOW + timedelta(seconds=9))
    assert pending(NOW)
    assert not pending(NOW + timedelta(seconds=9))
    change(session, job_id, run_at=LATER)
    assert not pending(NOW)
    assert pending(LATER)
