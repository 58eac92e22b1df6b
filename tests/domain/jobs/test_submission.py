from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import sqlalchemy as sa

from domain import jobs
from domain.errors import IdempotencyKeyReused
from domain.ids import derived_id, uuid7
from domain.jobs import Job
from tests.factories import NOW, make_job, make_lane


def keyed(key, body="body", **fields):
    return make_job(idempotency=derived_id(key), digest=derived_id(body), **fields)


def in_order(session, lane):
    """Return the ids of a lane's jobs, first accepted first."""
    return session.scalars(
        sa.select(Job.id).where(Job.lane == lane).order_by(Job.position)
    ).all()


def test_a_submitted_job_waits_with_all_that_was_said(session):
    job = make_job(
        payload='{"owner_id": "Zoë", "n": 9007199254740992}',
        size=7,
        request_id="request",
        trace="trace",
    )
    answer = jobs.submit(session, [job])[0]
    stored = session.get(Job, job.id)

    assert (answer.job, answer.earlier, answer.error) == (job, None, None)
    assert (stored.state, stored.attempts, stored.finished_at) == ("queued", 0, None)
    assert stored.payload == {"owner_id": "Zoë", "n": 2**53}
    said = set(job._fields) - {"payload"}
    assert all(getattr(stored, name) == getattr(job, name) for name in said)


def test_a_payload_is_kept_to_the_byte(session):
    job = make_job(payload='{"b" :1.0,"a":1e2, "a":"\\u00e9"}')
    jobs.submit(session, [job])
    kept = session.scalar(
        sa.text("SELECT payload::text FROM jobs WHERE id = :id"), {"id": job.id}
    )

    assert kept == job.payload


def test_jobs_are_stored_in_the_order_submitted(session):
    lane = make_lane()
    first = [make_job(lane=lane) for _ in range(50)]
    second = [make_job(lane=lane, submitted_at=NOW - timedelta(1)) for _ in range(50)]
    jobs.submit(session, first)
    jobs.submit(session, second)

    assert in_order(session, lane) == [job.id for job in first + second]


def test_ids_do_not_decide_the_order(session):
    lane, made = make_lane(), [make_job() for _ in range(10)]
    reverse = [job._replace(lane=lane) for job in reversed(made)]
    jobs.submit(session, reverse)

    assert in_order(session, lane) == [job.id for job in reverse]


def test_a_key_sent_again_yields_the_first_job(session):
    key = uuid7()
    first = jobs.submit(session, [keyed(key)])[0]
    again = jobs.submit(session, [keyed(key)])[0]

    assert again.earlier.id == first.job.id
    assert session.get(Job, again.job.id) is None


def test_a_key_sent_again_with_another_body_is_refused(session):
    key = uuid7()
    jobs.submit(session, [keyed(key)])
    again = jobs.submit(session, [keyed(key, "another")])[0]

    assert isinstance(again.error, IdempotencyKeyReused)
    assert again.earlier is None


def test_a_key_is_known_for_ever_whatever_became_of_its_job(session):
    key = uuid7()
    first = jobs.submit(session, [keyed(key)])[0]
    jobs.expire(session, count=100_000, now=NOW + timedelta(days=2))
    again = jobs.submit(session, [keyed(key)])[0]

    assert again.earlier.id == first.job.id
    assert again.earlier.state == "expired"


def test_a_key_twice_in_one_submission_is_one_job(session):
    key, lane = uuid7(), make_lane()
    one, same, other = jobs.submit(
        session,
        [
            keyed(key, lane=lane),
            keyed(key, lane=lane),
            keyed(key, "another", lane=lane),
        ],
    )

    assert one.earlier is one.error is None
    assert same.earlier.id == one.job.id
    assert isinstance(other.error, IdempotencyKeyReused)
    assert in_order(session, lane) == [one.job.id]


def test_new_and_known_jobs_of_one_submission_are_answered_each(session):
    key, lane = uuid7(), make_lane()
    first = jobs.submit(session, [keyed(key)])[0].job
    before, again, after = jobs.submit(
        session, [make_job(lane=lane), keyed(key), make_job(lane=lane)]
    )

    assert again.earlier.id == first.id
    assert in_order(session, lane) == [before.job.id, after.job.id]


def test_jobs_without_a_key_are_never_the_same(session):
    lane = make_lane()
    jobs.submit(session, [make_job(lane=lane), make_job(lane=lane)])

    assert len(in_order(session, lane)) == 2


def test_nothing_submitted_is_nothing_answered(session):
    assert jobs.submit(session, []) == []


def test_a_key_sent_by_many_at_once_is_one_job(sessions):
    key, start = uuid7(), Barrier(8)

    def send(_number):
        start.wait()
        with sessions.begin() as session:
            answer = jobs.submit(session, [keyed(key)])[0]
            return answer.earlier.id if answer.earlier else answer.job.id

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(send, range(8)))

    assert len(ids) == 1


def test_keys_sent_crosswise_by_two_do_not_lock_each_other_out(sessions):
    """Two API processes whose clients send the same writes again, each in its order."""
    start = Barrier(2)

    def send(keys):
        start.wait()
        with sessions.begin() as session:
            return len(jobs.submit(session, [keyed(key) for key in keys]))

    for _ in range(5):
        keys = [uuid7() for _ in range(300)]
        with ThreadPoolExecutor(2) as pool:
            counts = list(pool.map(send, [keys, keys[::-1]]))

        assert counts == [300, 300]
