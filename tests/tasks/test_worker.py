"""Real workers: Celery's processes, killed, and a broker that forgets and goes away."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psutil
import pytest
import sqlalchemy as sa
from redis import Redis

from cli.processes import end
from cli.servers import prepared_redis
from cli.worker import celery_worker, tasks_command
from domain.db import create_engine, session_factory
from domain.jobs import Job
from domain.settings import Settings
from tasks import ring
from tasks.maintenance import reconcile
from tests.audit import faults
from tests.databases import administer
from tests.factories import make_claim, make_owner
from tests.tasks.lanes import Lane
from tests.tasks.processes import kill
from tests.waiting import eventually

# Celery looks for a lost broker after 2, 4, 6 … seconds; beat's period is 5.
WITHIN_SECONDS = 30


class Broker:
    """A Redis of the test's own, to be stopped and started."""

    def __init__(self, server, log):
        self.url = server.url
        self._server, self._log = server, log
        self._process = None

    def start(self):
        self._process = self._server.program.start(self._log)
        eventually(self._server.ready)

    def stop(self):
        end(self._server.program, self._process)

    def forget(self):
        with Redis.from_url(self.url) as client:
            client.flushall()


@pytest.fixture
def broker(tmp_path):
    with (
        prepared_redis(tmp_path) as server,
        (tmp_path / "redis.log").open("wb") as log,
    ):
        broker = Broker(server, log)
        broker.start()
        yield broker
        broker.stop()


@pytest.fixture
def redis_url(broker):
    return broker.url


@pytest.fixture
def database_url(new_database):
    """A database of the test's own: its workers touch every lane."""
    with new_database() as url:
        yield url


@pytest.fixture
def sessions(database_url):
    engine = create_engine(Settings(database_url=database_url))
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture
def work(run):
    return lambda: run(celery_worker(concurrency=2))


def reached(sessions, number):
    """Look for what was lost, as beat has it done; say if so many jobs succeeded."""
    with sessions.begin() as session:
        reconcile(session, make_claim(), now=datetime.now(UTC))
    return succeeded(sessions) >= number


def succeeded(sessions):
    done = sa.select(sa.func.count()).where(
        Job.state == "succeeded", Job.application.is_not(None)
    )
    with sessions() as session:
        return session.scalar(done)


def submit(lanes, owners, number):
    """Submit writes in tens, ringing as the API does."""
    for tens in range(number // 10):
        lane = lanes[tens % len(lanes)]
        lane.submit(*(lane.write(owners[(tens + n) % len(owners)]) for n in range(10)))
        ring("ledger", lane.number)


def assert_applied_once(sessions, lanes):
    rows = [row for lane in lanes for row in lane.rows()]
    written = Counter(row.payload["owner_id"] for row in rows)
    assert {owner: lanes[0].balance(owner) for owner in written} == {
        owner: (10 * times, times) for owner, times in written.items()
    }
    assert {(row.state, row.attempts) for row in rows} == {("succeeded", 1)}
    with sessions() as session:
        assert faults(session) == []


def test_a_worker_killed_in_mid_batch_loses_and_doubles_nothing(
    sessions, lane, work, blocked
):
    owner, waited_for, let_go = blocked
    lane.submit(*(lane.write(owner) for _ in range(100)))
    worker = work()
    eventually(waited_for, within=WITHIN_SECONDS)
    kill(worker)
    let_go()
    before = lane.counts()
    work()
    eventually(lambda: reached(sessions, 100), within=WITHIN_SECONDS)

    assert before == {"queued": 100}
    assert lane.balance(owner) == (1_010, 101)


def test_a_process_of_the_worker_killed_in_mid_batch_is_replaced(
    sessions, lane, work, blocked
):
    owner, waited_for, let_go = blocked
    lane.submit(*(lane.write(owner) for _ in range(100)))
    worker = work()
    eventually(waited_for, within=WITHIN_SECONDS)
    for child in psutil.Process(worker.pid).children():
        child.kill()
    let_go()
    eventually(lambda: reached(sessions, 100), within=WITHIN_SECONDS)

    assert worker.poll() is None
    assert lane.balance(owner) == (1_010, 101)


def test_a_worker_told_to_stop_finishes_the_batch_in_hand(lane, work, blocked):
    owner, waited_for, let_go = blocked
    lane.submit(*(lane.write(owner) for _ in range(100)))
    worker = work()
    eventually(waited_for, within=WITHIN_SECONDS)
    worker.terminate()
    let_go()

    assert worker.wait(WITHIN_SECONDS) == 0
    assert lane.counts() == {"succeeded": 100}
    assert lane.balance(owner) == (1_010, 101)


@pytest.mark.long
def test_workers_killed_again_and_again_under_load_lose_and_double_nothing(
    sessions, work
):
    lanes = [Lane(sessions), Lane(sessions)]
    owners = [make_owner() for _ in range(20)]
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(submit, lanes, owners, 6_000)
        for number in (1, 2_000, 4_000):
            worker = work()
            eventually(lambda n=number: reached(sessions, n), within=WITHIN_SECONDS)
            kill(worker)
        load.result()
    work()
    eventually(lambda: reached(sessions, 6_000), within=WITHIN_SECONDS)

    assert_applied_once(sessions, lanes)


def test_a_broker_that_forgets_and_restarts_amid_writes_loses_none(
    sessions, broker, run, work, tmp_path
):
    lanes = [Lane(sessions), Lane(sessions)]
    owners = [make_owner() for _ in range(20)]
    run(tasks_command("beat", "--schedule", str(tmp_path / "schedule"), "--pidfile="))
    work()
    submit(lanes, owners, 500)
    eventually(lambda: succeeded(sessions), within=WITHIN_SECONDS)
    broker.forget()
    submit(lanes, owners, 500)
    broker.stop()
    submit(lanes, owners, 500)
    broker.start()
    submit(lanes, owners, 500)
    broker.forget()
    eventually(lambda: succeeded(sessions) == 2_000, within=WITHIN_SECONDS)

    assert_applied_once(sessions, lanes)


def test_a_lane_that_waits_does_not_keep_the_other_waiting(
    sessions, lane, work, blocked
):
    """No process of the worker takes a second doorbell while it answers one."""
    owner, waited_for, let_go = blocked
    lane.submit(lane.write(owner))
    work()
    eventually(waited_for, within=WITHIN_SECONDS)
    other = Lane(sessions)
    for number in range(1, 21):
        other.submit(other.write(make_owner()))
        ring("ledger", other.number)
        eventually(lambda n=number: other.counts() == {"succeeded": n})
    let_go()
    eventually(lambda: lane.states() == ["succeeded"], within=WITHIN_SECONDS)


def test_a_broker_restarted_in_mid_batch_does_not_end_the_worker(
    sessions, lane, work, blocked, broker
):
    """A doorbell under way when the connection is lost has ended workers of Celery."""
    owner, waited_for, let_go = blocked
    lane.submit(*(lane.write(owner) for _ in range(100)))
    worker = work()
    eventually(waited_for, within=WITHIN_SECONDS)
    broker.stop()
    let_go()
    eventually(lambda: succeeded(sessions) == 100, within=WITHIN_SECONDS)
    broker.start()
    lane.submit(lane.write(owner))
    eventually(lambda: reached(sessions, 101), within=WITHIN_SECONDS)

    assert worker.poll() is None


def test_a_worker_refuses_to_start_where_operations_differ(
    database_url, work, tmp_path
):
    administer(
        database_url,
        "INSERT INTO operations (application, name, amount) "
        "VALUES ('commons', 'GIFT', 2)",
    )
    worker = work()

    assert worker.wait(WITHIN_SECONDS) != 0
    said = (tmp_path / "celery.log").read_text()
    assert "worker: commons.GIFT is in the database and not in code." in said
    assert "coin operations migrate" in said
