"""Real workers of every kind: each tells who it is, and together they share a lane."""

import json
import os
from datetime import UTC, datetime, timedelta

import psutil
import pytest
import sqlalchemy as sa

from cli.worker import celery_worker
from domain import jobs, password_resets, signing_keys, workers, workload
from domain.db import create_engine, session_factory
from domain.jobs import Job
from domain.settings import Settings
from domain.workers import ALIVE_FOR
from tasks import ring
from tests.factories import make_job, make_user, make_username
from tests.mailbox import mailbox
from tests.tasks.processes import kill, running
from tests.waiting import eventually

MAIL_LANE = 0
SECRET = "of this test"
WITHIN_SECONDS = 60
OUTBOUND = ("--queues", "mail,webhooks")


@pytest.fixture(scope="module")
def database_url(new_database):
    """A database of these tests' own: its workers are counted."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="module")
def sessions(database_url):
    engine = create_engine(Settings(database_url=database_url))
    yield session_factory(engine)
    engine.dispose()


def alive(sessions, at=None):
    with sessions() as session:
        return workers.alive(session, now=at or datetime.now(UTC))


def wait_for(sessions, count):
    """Wait until so many workers are alive; return them."""
    eventually(lambda: len(alive(sessions)) == count, within=WITHIN_SECONDS)
    return alive(sessions)


def solo():
    return [*celery_worker(concurrency=1), "--pool", "solo"]


def outbound():
    return [*celery_worker(concurrency=4), *OUTBOUND, "--pool", "threads"]


def one_process():
    return [*celery_worker(concurrency=1), *OUTBOUND]


def poller():
    return [celery_worker(concurrency=1)[0], "-m", "cli", "worker", "--poll"]


# Who they are


class Crew:
    """One worker of each kind, looked at while they work and after they were told."""

    def __init__(self, run, sessions):
        commands = {
            "processes": celery_worker(concurrency=2),
            "one thread": solo(),
            "threads": outbound(),
            "polling": poller(),
        }
        self.processes = {name: run(one) for name, one in commands.items()}
        self.rows = wait_for(sessions, 5)
        self.children = {
            name: {child.pid for child in psutil.Process(one.pid).children()}
            for name, one in self.processes.items()
        }
        for process in self.processes.values():
            process.terminate()
        self.codes = [one.wait(WITHIN_SECONDS) for one in self.processes.values()]
        self.left = alive(sessions)

    def rows_of(self, name):
        """Return the rows of a worker: its own, or those of its children."""
        own = {self.processes[name].pid, *self.children[name]}
        return [row for row in self.rows if row.pid in own]


@pytest.fixture(scope="module")
def crew(tmp_path_factory, redis_url, database_url, sessions):
    log = tmp_path_factory.mktemp("crew") / "log"
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with running(log, **environment, RABBITMQ_URL="", LOG_FORMAT="json") as run:
        yield Crew(run, sessions)


def test_each_child_of_a_worker_is_a_worker_of_one_slot(crew):
    rows = crew.rows_of("processes")

    assert {row.pid for row in rows} == crew.children["processes"]
    assert len({row.id for row in rows}) == len(rows) == 2
    assert {row.slots for row in rows} == {1}
    assert len({row.name for row in rows}) == 1


@pytest.mark.parametrize(
    ("name", "group", "slots"),
    [("one thread", "ledger", 1), ("threads", "outbound", 4), ("polling", "ledger", 1)],
)
def test_a_worker_without_children_is_one_itself(crew, name, group, slots):
    (row,) = crew.rows_of(name)

    assert row.pid == crew.processes[name].pid
    assert (row.worker_group, row.slots) == (group, slots)


def test_each_says_where_it_is_by_the_name_its_messages_bear(crew):
    assert {row.host for row in crew.rows} == {os.uname().nodename}
    named = {row.name.partition("-")[0] for row in crew.rows}
    assert named == {"worker", "poll"}
    assert all(row.name.endswith(f"@{row.host}") for row in crew.rows)


def test_all_that_end_as_they_are_told_say_so(crew):
    assert crew.codes == [0] * 4
    assert crew.left == []


def test_a_worker_that_is_killed_is_silent_and_counts_as_gone(sessions, run):
    worker = run(solo())
    wait_for(sessions, 1)
    kill(worker)
    at = datetime.now(UTC)

    assert [one.pid for one in alive(sessions, at)] == [worker.pid]
    assert alive(sessions, at + ALIVE_FOR) == []
    with sessions.begin() as session:
        workers.forget(session, before=at + ALIVE_FOR)


# One lane, many long jobs


@pytest.fixture
def box():
    with mailbox() as box:
        yield box
        box.may_answer.set()


@pytest.fixture
def send(sessions):
    """Submit so many mails in one lane, and ring once."""

    def send(count):
        now = datetime.now(UTC)
        with sessions.begin() as session:
            # Made once, by whoever is first: the others would wait for it.
            signing_keys.standing(session, secret=SECRET, now=now)
            made = []
            for _ in range(count):
                address = f"{make_username()}@example.org"
                make_user(session, email=address)
                made.append(
                    make_job(
                        kind=password_resets.SEND,
                        queue="mail",
                        lane=MAIL_LANE,
                        payload=json.dumps({"email": address}),
                        submitted_at=now,
                    )
                )
            jobs.submit(session, made)
        ring("mail", MAIL_LANE)
        return [job.id for job in made]

    return send


@pytest.fixture
def work(run, box, sessions):
    """Start workers that send mail, and wait until nothing else is to be done."""
    environment = {"SMTP_URL": box.url, "MAIL_FROM": "coin@example.org"}
    unfinished = sa.select(sa.func.count()).where(Job.finished_at.is_(None))

    def at_rest():
        with sessions() as session:
            return session.scalar(unfinished) == 0

    def work(*commands):
        for command in commands:
            run(command, **environment, TOKEN_SECRET=SECRET)
        rows = wait_for(sessions, len(commands))
        # What a worker's start brings would ring for what is overdue.
        eventually(at_rest, within=WITHIN_SECONDS)
        return rows

    yield work
    with sessions.begin() as session:
        workers.forget(session, before=datetime.now(UTC) + timedelta(minutes=1))


def states(sessions, ids):
    with sessions() as session:
        return set(session.scalars(sa.select(Job.state).where(Job.id.in_(ids))))


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param(
            [[*celery_worker(concurrency=1), *OUTBOUND]] * 3, id="3 processes"
        ),
        pytest.param([outbound()], id="4 threads"),
    ],
)
def test_every_idle_worker_takes_a_long_job_of_one_lane(
    sessions, box, work, send, commands
):
    """Nobody rings but who accepts, once: workers hand the lane on."""
    slots = sum(row.slots for row in work(*commands))
    box.may_answer.clear()
    ids = send(slots + 2)
    eventually(lambda: box.under_way, within=WITHIN_SECONDS)
    eventually(lambda: box.under_way == slots, within=1.0)
    eventually(lambda: busy(sessions) == slots)
    box.may_answer.set()
    eventually(lambda: states(sessions, ids) == {"succeeded"}, within=WITHIN_SECONDS)

    assert len(box.messages) == slots + 2


def busy(sessions):
    return sum(row.busy for row in alive(sessions))


def test_what_workers_did_is_measured(sessions, box, work, send):
    began = datetime.now(UTC)
    work(outbound())
    ids = send(5)

    def measured():
        with sessions() as session:
            found = workload.kinds(session, since=began, until=datetime.now(UTC))
        return found.get(password_resets.SEND)

    eventually(lambda: (load := measured()) and load.finished == 5)
    load = measured()
    assert (load.arrived, load.refused, load.failed) == (5, 0, 0)
    assert 0 < load.cpu_seconds < load.seconds
    assert states(sessions, ids) == {"succeeded"}
