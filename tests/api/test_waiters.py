"""Waiting for jobs: whoever waits is woken, however many, whatever is open."""

import os
import resource
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from api.app import create_app
from api.waiters import WAITERS_MAX, Waiters
from domain.db import create_engine, session_factory
from domain.settings import Settings
from tests.api.calling import Caller, operation
from tests.factories import make_owner

MANY_FILES = 1_100
SOON = 5.0


@pytest.fixture
def many_files():
    """So many open files that the next has a number select() cannot take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * MANY_FILES), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(MANY_FILES)]
    yield
    for file in files:
        os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_of_a_thousand_connections_still_hears(
    api_database, caller, worker, many_files
):
    busy = Caller(create_app(Settings(database_url=api_database)), caller.key)
    began = time.monotonic()

    answers = [busy.done("/ledger", operation(make_owner())) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201] * 3
    assert time.monotonic() - began < SOON


def test_a_hundred_requests_wait_at_once(caller, api_database, working):
    bodies = [operation(make_owner()) for _ in range(100)]

    with ThreadPoolExecutor(100) as pool:
        sent = [pool.submit(caller.done, "/ledger", body) for body in bodies]
        with working(api_database):
            answers = [future.result() for future in sent]

    assert {answer.status_code for answer in answers} == {201}


def test_several_wait_for_one_job(caller, api_database, working):
    body = operation(make_owner())

    with ThreadPoolExecutor(10) as pool:
        sent = [pool.submit(caller.done, "/ledger", body) for _ in range(10)]
        with working(api_database):
            answers = [future.result() for future in sent]

    assert len({answer.json["transfer"]["id"] for answer in answers}) == 1


def test_the_number_of_those_who_wait_is_bounded():
    assert 0 < WAITERS_MAX <= 10_000


def test_who_waits_holds_no_connection(api_database, caller):
    """More wait than there are connections, and others are still answered."""
    few = Caller(
        create_app(Settings(database_url=api_database, database_pool_size=3)),
        caller.key,
    )
    threads = [
        threading.Thread(
            target=few.post,
            args=("/ledger", operation(make_owner())),
            kwargs={"headers": {"Prefer": "wait=1"}},
        )
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()

    answer = few.get("/ledger/someone")

    for thread in threads:
        thread.join()
    assert answer.status_code == 200


def test_one_connection_is_enough_to_wait(api_database, caller, worker):
    lone = Caller(
        create_app(Settings(database_url=api_database, database_pool_size=1)),
        caller.key,
    )

    answer = lone.done("/ledger", operation(make_owner()))

    assert answer.status_code == 201


def test_a_listener_nobody_waits_for_ends_with_its_connection(new_database):
    with new_database() as url, capture_logs() as said:
        engine = create_engine(Settings(database_url=url))
        waiters = Waiters(engine, session_factory(engine))
        before = set(threading.enumerate())
        assert not waiters.wait(uuid.uuid4(), "0", 0.1)
        (listener,) = set(threading.enumerate()) - before
        engine.dispose()

    # The database is gone, and with it every connection to it.
    listener.join(SOON)
    assert not listener.is_alive()
    assert said == []
