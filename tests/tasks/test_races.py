"""Workers against callers and against each other: one of two outcomes, never both."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from domain import jobs
from domain.ids import uuid7
from domain.jobs import JobFinished, Viewer
from tests.audit import faults
from tests.factories import make_owner
from tests.tasks.lanes import Lane, operation
from tests.waiting import eventually


def test_a_job_cancelled_while_its_lane_is_drained_is_either_or(sessions, lane):
    """Whoever is told "cancelled" finds no credits moved, and the other way round."""
    owner, principal = make_owner(), uuid7()
    viewer = Viewer("commons", principal, operator=False)
    made = [lane.write(owner, principal=principal) for _ in range(400)]
    lane.submit(*made)

    def cancel(job):
        try:
            with sessions.begin() as session:
                jobs.cancel(session, job.id, viewer, now=datetime.now(UTC))
        except JobFinished:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        chosen = random.Random(7).sample(made, 200)
        drains = [pool.submit(lane.drain) for _ in range(2)]
        cancelled = sum(pool.map(cancel, chosen))
        for drain in drains:
            drain.result()
    lane.drain()

    wanted = {"succeeded": 400 - cancelled, "cancelled": cancelled}
    assert lane.counts() == {state: n for state, n in wanted.items() if n}
    assert lane.balance(owner) == (10 * (400 - cancelled), 400 - cancelled)


def test_one_nonce_for_two_owners_in_two_lanes_at_once_is_one_write(sessions):
    """The database refuses the second; tried again it is refused in words."""
    for _ in range(5):
        lanes = [Lane(sessions), Lane(sessions)]
        principal, nonce = uuid7(), str(uuid7())
        owners = [make_owner(), make_owner()]
        start = threading.Barrier(2)

        def drain(lane, start=start):
            start.wait()
            lane.drain()

        for lane, owner in zip(lanes, owners, strict=True):
            payload = operation(owner) | {"nonce": nonce}
            kind = "ledger.post_operation"
            lane.submit(lane.job(kind, payload, principal=principal))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(drain, lanes))
        for lane in lanes:
            lane.make_due()
            lane.drain()

        states = sorted(lane.states()[0] for lane in lanes)
        assert states == ["refused", "succeeded"]
        assert sorted(lanes[0].balance(owner) for owner in owners) == [(0, 0), (10, 1)]


def test_transfers_crosswise_between_lanes_apply_once_each(sessions):
    """Accounts of both lanes are locked in one order: no lane waits for the other."""
    lanes = [Lane(sessions), Lane(sessions)]
    owners = [make_owner() for _ in range(6)]
    chance = random.Random(11)
    lanes[0].submit(*(lanes[0].write(owner) for owner in owners for _ in range(9)))
    lanes[0].drain()
    for lane in lanes:
        for _ in range(15):
            source, target = chance.sample(owners, 2)
            entries = [
                {"from": source, "to": target, "amount": 1, "nonce": str(uuid7())}
                for _ in range(20)
            ]
            payload = {"entries": entries, "atomic": chance.random() < 0.5}
            lane.submit(lane.job("ledger.post_batch", payload, size=20))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Lane.drain, lanes))

    rows = [row for lane in lanes for row in lane.rows()[-15:]]
    assert {row.state for row in rows} <= {"succeeded", "refused"}
    assert {row.attempts for row in rows} == {1}
    assert sum(lanes[0].balance(owner)[0] for owner in owners) == 6 * 90
    with sessions() as session:
        assert faults(session) == []


def test_a_job_requeued_while_its_lane_is_drained_is_applied_once(sessions, lane):
    owner, principal = make_owner(), uuid7()
    operator = Viewer("commons", principal, operator=True)
    made = [lane.write(owner, principal=principal) for _ in range(50)]
    lane.submit(*made)
    now = datetime.now(UTC)
    with sessions.begin() as session:
        for job in made:
            jobs.fail(session, job.id, attempt=1, attempts_max=1, now=now)

    def requeue(job):
        with sessions.begin() as session:
            day = timedelta(days=1)
            jobs.requeue(session, job.id, operator, allowance=day, now=now)

    with ThreadPoolExecutor(4) as pool:
        for job in made:
            pool.submit(requeue, job)
            pool.submit(lane.drain)
    lane.drain()
    eventually(lambda: lane.counts() == {"succeeded": 50})

    assert lane.balance(owner) == (500, 50)
