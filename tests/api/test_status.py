"""Is it alive, and would a write succeed: each check says what it saw."""

import os
import signal
import time

import psutil
import pytest
import sqlalchemy as sa

import celeryconfig
from api.app import create_app
from cli.servers import embedded_redis
from domain.db import create_engine
from domain.schema import needed
from domain.settings import Settings
from tasks._doorbell import _flags
from tests.api.calling import PROBLEM, Caller
from tests.waiting import eventually

SOON = 3.0


@pytest.fixture
def database(new_database):
    """A database whose owner may do to it what should never be done."""
    with new_database() as url:
        yield url


@pytest.fixture
def spoil(database):
    """Return a function that runs a statement with the owner's rights."""
    engine = create_engine(Settings(database_url=database), role=False)

    def run(*statements):
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    yield run
    engine.dispose()


@pytest.fixture
def observer(database):
    return Caller(create_app(Settings(database_url=database)))


@pytest.fixture
def ready(observer, database, working):
    """An observer of a system that was ready a moment ago."""
    with working(database):
        eventually(lambda: observer.get("/status/ready").status_code == 200)
    return observer


def check(observer, name):
    return observer.get("/status/ready").json["checks"][name]


def test_a_process_that_answers_is_alive(stranger):
    answer = stranger.get("/health")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_it_is_alive_without_its_database():
    own = Caller(create_app(Settings(database_url="postgresql://x@127.0.0.1:9/x")))

    assert own.get("/health").status_code == 200


def test_with_everything_there_it_is_ready(ready):
    answer = ready.get("/status/ready")

    assert answer.json == {
        "ready": True,
        "checks": {
            "database": "ok",
            "migrations": "ok",
            "operations": "ok",
            "broker": "none",
            "workers": "ok",
        },
    }


def test_not_ready_is_a_problem_with_every_check(observer):
    """RFC 9457 §3.2: extension members; RFC 9110 §15.6.4: Retry-After."""
    answer = observer.get("/status/ready")

    problem = answer.json
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, PROBLEM)
    assert (problem["code"], problem["ready"]) == ("not_ready", False)
    assert set(problem["checks"]) == {
        "database",
        "migrations",
        "operations",
        "broker",
        "workers",
    }
    assert int(answer.headers["Retry-After"]) >= 1


def test_without_a_worker_it_is_not_ready(observer):
    assert check(observer, "workers") == "no worker has finished a job yet"


def test_with_workers_that_fell_silent_it_is_not_ready(ready, spoil):
    spoil(
        "SET LOCAL session_replication_role = replica",
        "UPDATE jobs SET finished_at = finished_at - interval '1 minute'",
    )

    assert check(ready, "workers").startswith("no worker has finished")


def test_on_a_database_of_another_version_it_is_not_ready(ready, spoil):
    spoil("UPDATE alembic_version SET version_num = '0000'")

    assert (
        check(ready, "migrations")
        == f"the schema is at 0000, the code needs {needed()}"
    )


def test_on_a_newer_database_it_is_still_ready(ready, spoil):
    """The migration comes first; the last process of old code goes some time later."""
    spoil("UPDATE alembic_version SET version_num = '9999'")

    assert check(ready, "migrations") == "ok"


def test_on_a_database_without_versions_it_is_not_ready(ready, spoil):
    spoil("DELETE FROM alembic_version")

    assert check(ready, "migrations").startswith("the schema is at nothing")


def test_with_other_operations_it_is_not_ready(ready, spoil):
    spoil("UPDATE operations SET amount = 11 WHERE name = 'CREDIT_ADD'")

    assert "CREDIT_ADD is 11 in the database and 10 in code" in check(
        ready, "operations"
    )


def test_without_its_database_it_is_not_ready_and_says_so_soon():
    own = Caller(create_app(Settings(database_url="postgresql://x@127.0.0.1:9/x")))
    began = time.monotonic()

    answer = own.get("/status/ready")

    checks = answer.json["checks"]
    assert answer.status_code == 503
    assert checks["database"] == "the database does not answer"
    assert time.monotonic() - began < SOON


@pytest.fixture
def broker(tmp_path, monkeypatch):
    """A Redis of this test alone, and its process."""
    with embedded_redis(tmp_path) as url:
        monkeypatch.setattr(celeryconfig, "broker_url", url)
        _flags.cache_clear()
        [process] = [
            child
            for child in psutil.Process().children()
            if child.name() == "redis-server" and child.cwd() == f"{tmp_path}/redis"
        ]
        yield url, process
    _flags.cache_clear()


@pytest.fixture
def ringing(database, broker):
    url, _ = broker
    return Caller(create_app(Settings(database_url=database, redis_url=url)))


def test_a_broker_that_answers_is_ok(ringing):
    assert check(ringing, "broker") == "ok"


def test_with_a_broker_that_is_gone_it_is_not_ready(ringing, broker):
    _, process = broker
    check(ringing, "broker")
    process.kill()
    psutil.wait_procs([process])

    assert check(ringing, "broker") == "the broker does not answer"


def test_with_a_broker_that_hangs_it_says_so_soon(ringing, broker):
    _, process = broker
    check(ringing, "broker")
    os.kill(process.pid, signal.SIGSTOP)
    began = time.monotonic()

    seen = check(ringing, "broker")

    os.kill(process.pid, signal.SIGCONT)
    assert seen == "the broker does not answer"
    assert time.monotonic() - began < SOON
