"""Long jobs run under a lease: one holder at a time, and none for ever."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from domain import jobs
from domain.errors import Refused
from domain.ledger import Batch, post
from tasks import _drain, _leases, ring
from tests.factories import make_operation, make_owner
from tests.tasks.conftest import forget
from tests.waiting import eventually

LONG = "ledger.long"


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def short_lease(monkeypatch):
    """A lease that is soon over, and a heart that beats in time."""
    monkeypatch.setattr(_leases, "LEASE", timedelta(seconds=0.4))
    monkeypatch.setattr(_leases, "_HEARTBEAT_SECONDS", 0.05)


@pytest.fixture
def take_back(sessions):
    """Take back leases as the reconciler does; return whether the lane had one."""

    def take_back(lane, attempts_max=8):
        with sessions.begin() as session:
            now = datetime.now(UTC)
            taken = jobs.take_back(session, attempts_max=attempts_max, now=now)
        return ("ledger", lane.number) in taken

    return take_back


def write(session, owner):
    post(session, [Batch([make_operation(owner=owner)])], now=datetime.now(UTC))


def test_a_long_job_stores_its_effects_and_its_result(lane, owner, declare):
    def run(session, claim, *, now):
        write(session, owner)
        return {"attempt": claim.attempts, "now": now.tzname()}

    declare(LONG, long=run)
    lane.submit(lane.job(LONG))
    lane.drain()

    (row,) = lane.rows()
    assert (row.state, row.result) == ("succeeded", {"attempt": 1, "now": "UTC"})
    assert lane.balance(owner) == (10, 1)


def test_a_long_job_that_refuses_leaves_no_effects(lane, owner, declare):
    def run(session, _claim, **_others):
        write(session, owner)
        raise Refused("Not today.")

    declare(LONG, long=run)
    lane.submit(lane.job(LONG))
    lane.drain()

    (row,) = lane.rows()
    assert (row.state, row.problem["detail"]) == ("refused", "Not today.")
    assert lane.balance(owner) == (0, 0)


def test_a_long_job_that_fails_is_tried_again_and_fails_for_good(
    lane, owner, declare, monkeypatch
):
    def run(session, _claim, **_others):
        write(session, owner)
        raise ValueError("bug")

    declare(LONG, long=run)
    monkeypatch.setenv("ATTEMPTS_MAX", "2")
    forget()
    lane.submit(lane.job(LONG))
    for _ in range(4):
        lane.drain()
        lane.make_due()

    (row,) = lane.rows()
    assert (row.state, row.attempts) == ("failed", 2)
    assert lane.balance(owner) == (0, 0)


def test_short_jobs_keep_their_place_around_a_long_one(lane, owner, declare):
    seen = []

    def run(_session, _claim, **_others):
        seen.append(lane.balance(owner)[0])

    declare(LONG, long=run)
    lane.submit(lane.write(owner), lane.write(owner), lane.job(LONG), lane.write(owner))
    lane.drain()

    assert seen == [20]
    assert lane.states() == ["succeeded"] * 4


def test_a_long_job_does_not_keep_the_lane(lane, owner, declare):
    entered, leave = threading.Event(), threading.Event()

    def run(_session, _claim, **_others):
        entered.set()
        assert leave.wait(10)

    declare(LONG, long=run)
    lane.submit(lane.job(LONG), lane.write(owner))
    holder = threading.Thread(target=lane.drain)
    holder.start()
    assert entered.wait(10)
    lane.drain()
    meanwhile = lane.states()
    leave.set()
    holder.join()

    assert meanwhile == ["running", "succeeded"]
    assert lane.states() == ["succeeded", "succeeded"]


def test_who_takes_a_long_job_rings_for_those_behind_it_but_not_for_each(
    lane, declare, broker
):
    """One idle worker is woken, and wakes the next; the lane's bell is not a herd's."""
    rung = []
    declare(LONG, long=lambda *_, **__: rung.append(broker.llen("coin:ledger")))
    lane.submit(*(lane.job(LONG) for _ in range(5)))
    lane.drain()

    assert rung == [1] * 5


def test_nobody_is_rung_for_where_nothing_is_behind_a_long_job(lane, declare, broker):
    rung = []
    declare(LONG, long=lambda *_, **__: rung.append(broker.llen("coin:ledger")))
    lane.submit(lane.job(LONG))
    lane.drain()

    assert rung == [0]


def test_a_lane_can_be_rung_for_while_a_long_job_runs(lane, declare, broker):
    """What is accepted meanwhile is not to wait for it."""
    declare(LONG, long=lambda *_, **__: ring("ledger", lane.number))
    ring("ledger", lane.number)
    lane.submit(lane.job(LONG))
    lane.drain()

    assert broker.llen("coin:ledger") == 2


def test_who_may_take_but_one_job_rings_for_what_may_be_behind_it(
    lane, declare, broker, monkeypatch
):
    """As after a poisoned batch: it has not looked further."""
    rung = []
    declare(LONG, long=lambda *_, **__: rung.append(broker.llen("coin:ledger")))
    monkeypatch.setitem(_drain._limits, ("ledger", lane.number), 1)
    lane.submit(lane.job(LONG), lane.job(LONG))
    lane.drain()

    assert rung == [1, 1]


@pytest.mark.usefixtures("short_lease")
def test_a_heartbeat_keeps_the_lease_while_the_job_runs(lane, declare, take_back):
    taken = []

    def run(_session, _claim, **_others):
        first = lane.rows()[0].lease_until

        def beyond():
            taken.append(take_back(lane))
            return datetime.now(UTC) > first + timedelta(seconds=0.2)

        eventually(beyond)

    declare(LONG, long=run)
    lane.submit(lane.job(LONG))
    lane.drain()

    assert not any(taken)
    assert [(row.state, row.attempts) for row in lane.rows()] == [("succeeded", 1)]


@pytest.mark.usefixtures("short_lease")
def test_a_heartbeat_survives_a_connection_killed(lane, declare, kill, monkeypatch):
    real, killed = jobs.renew, []

    def renew(session, claim, *, until):
        if not killed:
            killed.append(until)
            kill(session)
        real(session, claim, until=until)

    def run(_session, _claim, **_others):
        eventually(lambda: killed)
        lost = lane.rows()[0].lease_until
        eventually(lambda: lane.rows()[0].lease_until > lost)

    declare(LONG, long=run)
    monkeypatch.setattr(jobs, "renew", renew)
    lane.submit(lane.job(LONG))
    lane.drain()

    assert lane.states() == ["succeeded"]


@pytest.mark.usefixtures("short_lease")
def test_a_silent_worker_loses_its_job_to_another_and_stores_nothing(
    lane, owner, declare, take_back, monkeypatch
):
    """It wakes up after its job was done by another: its effects are not kept."""
    asleep, wake = threading.Event(), threading.Event()

    def run(session, claim, **_others):
        if claim.attempts == 1:
            asleep.set()
            assert wake.wait(10)
        write(session, owner)
        return {"by": claim.attempts}

    declare(LONG, long=run)
    monkeypatch.setattr(_leases, "_HEARTBEAT_SECONDS", 60.0)
    lane.submit(lane.job(LONG))
    silent = threading.Thread(target=lane.drain)
    silent.start()
    assert asleep.wait(10)
    eventually(lambda: take_back(lane))
    lane.drain()
    wake.set()
    silent.join()

    (row,) = lane.rows()
    assert (row.state, row.attempts, row.result) == ("succeeded", 2, {"by": 2})
    assert lane.balance(owner) == (10, 1)


@pytest.mark.usefixtures("short_lease")
def test_a_worker_whose_job_was_taken_back_cannot_finish_it_either_way(
    lane, owner, declare, take_back, monkeypatch
):
    """Not even while the job waits for its next holder."""

    def run(session, _claim, **_others):
        write(session, owner)
        eventually(lambda: take_back(lane))

    declare(LONG, long=run)
    monkeypatch.setattr(_leases, "_HEARTBEAT_SECONDS", 60.0)
    monkeypatch.setattr("tasks._drain.TURN_SECONDS", 0.01)
    lane.submit(lane.job(LONG))
    lane.drain()

    assert [(row.state, row.attempts) for row in lane.rows()] == [("queued", 1)]
    assert lane.balance(owner) == (0, 0)


@pytest.mark.usefixtures("short_lease")
def test_a_job_whose_workers_all_fall_silent_fails_at_last(
    sessions, lane, declare, take_back
):
    declare(LONG, long=lambda *_, **__: None)
    lane.submit(job := lane.job(LONG))
    for _ in range(3):
        with sessions.begin() as session:
            now = datetime.now(UTC)
            jobs.lease(session, job.id, until=now, now=now)
        take_back(lane, attempts_max=3)

    (row,) = lane.rows()
    assert (row.state, row.attempts) == ("failed", 3)
    assert row.problem["code"] == "lease_expired"
