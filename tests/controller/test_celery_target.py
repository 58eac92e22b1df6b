"""Real workers of Celery's, sized by remote control and counted by their processes."""

import os
import signal
import sys
import time
from contextlib import ExitStack, contextmanager

import psutil
import pytest
from celery import Celery

import celeryconfig
from bench.faults import lent
from cli.processes import Program, end
from cli.servers import prepared_redis
from controller.targets import Unavailable
from controller.targets.celery import CeleryTarget
from controller.targets.remote_control import RemoteControl
from tests.databases import ROOT
from tests.waiting import eventually

# A worker looks every five seconds whether it has as many processes as it should.
GROWN_WITHIN_SECONDS = 20
STARTED_WITHIN_SECONDS = 30
ANSWERED_WITHIN_SECONDS = 5


@contextmanager
def started(broker_url, log, name, *options):
    """Run a worker of Celery's; yield its process once it answers."""
    program = Program(
        role=name,
        command=[
            *(sys.executable, "-m", "celery", "-A", "tests.controller.held"),
            *("worker", "--hostname", f"{name}@test"),
            *("--without-mingle", "--without-gossip", *options),
        ],
        folder=ROOT,
        environment={"REDIS_URL": broker_url, "RABBITMQ_URL": ""},
    )
    process = program.start(log)
    try:
        asked = RemoteControl(broker_url)
        eventually(
            lambda: asked.ask("active_queues", nodes=[f"{name}@test"]),
            within=STARTED_WITHIN_SECONDS,
        )
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Start workers that end with this file's tests."""
    log = tmp_path_factory.mktemp("celery") / "celery.log"
    with ExitStack() as running:
        yield lambda *worker: running.enter_context(
            started(*worker[:1], running.enter_context(log.open("ab")), *worker[1:])
        )


@pytest.fixture(scope="module")
def new_broker(servers):
    """Return a Redis database of its own: nobody else's workers hear what is said."""
    with ExitStack() as held:
        yield lambda: held.enter_context(lent.redis(servers["redis"]))


@pytest.fixture(scope="module")
def broker_url(new_broker):
    return new_broker()


@pytest.fixture(scope="module")
def worker(start, broker_url):
    queue = ("--queues", "ledger", "--concurrency", "2")
    return start(broker_url, "prefork", *queue)


@pytest.fixture(scope="module")
def target(broker_url, worker):
    """A target that asks whenever it is asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("controller.targets.nodes._FRESH_SECONDS", 0.0)
        yield CeleryTarget(broker_url)


def processes(worker):
    return len(psutil.Process(worker.pid).children())


def sized(target, size):
    """Tell a size again and again, as the controller does, until it is so."""

    def reached():
        observed = target.observe("ledger")
        target.apply("ledger", size, observed)
        return observed.size == observed.ready == size

    eventually(reached, within=GROWN_WITHIN_SECONDS)


@pytest.fixture
def hold(broker_url, target, tmp_path):
    """Give the workers so many jobs; they last until the test is over."""
    path = tmp_path / "hold"
    path.touch()
    with Celery("test", config_source=celeryconfig) as app:
        app.conf.broker_url = broker_url

        def hold(jobs):
            for _ in range(jobs):
                app.send_task("ledger.hold", [str(path)], queue="ledger")
            eventually(lambda: active(broker_url) == jobs)

        yield hold
    path.unlink()
    eventually(lambda: active(broker_url) == 0)


def active(broker_url):
    """Return how many jobs are being done."""
    answers = RemoteControl(broker_url).ask("active", nodes=["prefork@test"])
    return len(answers["prefork@test"])


def test_a_size_is_a_number_of_processes(target, worker):
    sized(target, 2)
    observed = target.observe("ledger")

    assert (observed.size, observed.ready) == (2, 2)
    assert observed.owned_by is None
    assert processes(worker) == 2


def test_a_process_more_counts_when_it_is_there(target, worker):
    sized(target, 2)
    observed = target.observe("ledger")

    assert target.apply("ledger", 5, observed) == 3
    observed = target.observe("ledger")
    assert (observed.size, observed.ready, processes(worker)) == (3, 2, 2)
    # Told again before it is there, nobody has another one.
    assert target.apply("ledger", 5, observed) == 3
    counted = eventually(
        lambda: target.observe("ledger").ready == 3 and processes(worker),
        within=GROWN_WITHIN_SECONDS,
    )
    assert counted == 3


def test_a_process_that_was_added_does_jobs(target, hold):
    sized(target, 3)

    hold(3)


def test_nothing_changes_while_all_are_busy(target, worker, hold):
    sized(target, 3)
    hold(3)

    assert target.apply("ledger", 1, target.observe("ledger")) is None
    observed = target.observe("ledger")
    assert observed.notes == ["no process is idle, so none was taken away"]
    assert (observed.size, processes(worker)) == (3, 3)


def test_an_idle_process_is_taken_away_and_the_busy_ones_stay(target, worker, hold):
    sized(target, 3)
    hold(2)
    before = {child.pid for child in psutil.Process(worker.pid).children()}

    assert target.apply("ledger", 1, target.observe("ledger")) == 2
    eventually(lambda: target.observe("ledger").ready == 2)
    assert processes(worker) == 2
    assert {child.pid for child in psutil.Process(worker.pid).children()} < before


def test_the_last_process_stays(target, worker):
    sized(target, 1)

    assert target.apply("ledger", 0, target.observe("ledger")) is None
    observed = target.observe("ledger")
    assert observed.notes == ["each worker keeps its last process"]
    assert (observed.size, processes(worker)) == (1, 1)


def test_without_a_worker_nobody_can_say(target, new_broker):
    nowhere = CeleryTarget(new_broker())

    for asked, group in ((nowhere, "ledger"), (target, "outbound")):
        with pytest.raises(Unavailable, match=f"no Celery worker of {group} answers"):
            asked.observe(group)


def test_a_worker_that_is_frozen_cannot_say(target, worker):
    sized(target, 1)
    worker.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    try:
        with pytest.raises(Unavailable, match="ledger answers"):
            target.observe("ledger")
    finally:
        worker.send_signal(signal.SIGCONT)

    assert time.monotonic() - began < ANSWERED_WITHIN_SECONDS


def test_what_another_decides_is_only_looked_at(start, new_broker):
    broker_url = new_broker()
    start(broker_url, "scaled", "--queues", "ledger", "--autoscale", "3,1")
    pool = ("--pool", "threads", "--concurrency", "4")
    start(broker_url, "threads", "--queues", "mail,webhooks", *pool)
    target = CeleryTarget(broker_url)

    ledger, outbound = target.observe("ledger"), target.observe("outbound")
    assert (ledger.size, ledger.owned_by) == (1, "--autoscale of scaled@test")
    assert (outbound.size, outbound.owned_by) == (1, "its pool of threads")


@pytest.fixture
def redis(tmp_path):
    """A Redis of the test's own, and its process."""
    with prepared_redis(tmp_path) as server, (tmp_path / "log").open("wb") as log:
        process = server.program.start(log)
        eventually(server.ready)
        yield server.url, process
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            end(server.program, process)


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
def test_a_broker_that_is_away_keeps_nobody_waiting(redis, fault):
    url, process = redis
    target = CeleryTarget(url)
    process.send_signal(fault)
    if fault is signal.SIGKILL:
        process.wait()
    began = time.monotonic()

    with pytest.raises(Unavailable, match="the broker does not answer") as raised:
        target.observe("ledger")
    assert time.monotonic() - began < ANSWERED_WITHIN_SECONDS
    assert url.rpartition("@")[0] not in str(raised.value)
