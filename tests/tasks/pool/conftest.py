"""Pools of real processes: the application's own, and one of toys."""

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from domain.db import create_engine, session_factory
from domain.password_resets import SEND
from domain.settings import Settings
from tasks import ring
from tests.factories import make_owner, make_user
from tests.mailbox import mailbox
from tests.tasks.lanes import Lane
from tests.tasks.pools import (
    REAL,
    TOYS,
    RunningPool,
)


@pytest.fixture(scope="module")
def database_url(new_database):
    """A database of this module's own: its workers touch every lane."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="module")
def sessions(database_url):
    engine = create_engine(Settings(database_url=database_url))
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def box():
    with mailbox() as box:
        yield box


@pytest.fixture(scope="module")
def folder():
    """A folder whose path is short, as a socket's must be."""
    with tempfile.TemporaryDirectory(prefix="coin-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def temporary(folder):
    """Where the pool's processes keep what is temporary."""
    made = folder / "temporary"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def environment(database_url, redis_url, box, temporary):
    return {
        "TMPDIR": str(temporary),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "RABBITMQ_URL": "",
        "SMTP_URL": box.url,
        "MAIL_FROM": "coin@example.org",
        "TOKEN_SECRET": "a secret of tests",
    }


@pytest.fixture(scope="module")
def pool(folder, environment):
    """The application's pool, for tests that leave it as they found it.

    Without beat: what that rings for is work in hand, too.
    """
    path = folder / "pool"
    command = [*REAL, f"--socket={path}"]
    pool = RunningPool(path, command, folder / "pool.log", **environment)
    try:
        pool.wait()
        yield pool
    finally:
        pool.end()


@pytest.fixture
def run(folder, environment):
    """Run a pool of the test's own on a socket, the same each time."""
    started = []
    path = folder / f"own-{time.monotonic_ns()}"

    def run(*command, at=path, **changed):
        options = () if command == TOYS else (f"--socket={at}",)
        words = [*command, *options] if options else [*command, str(at)]
        log = folder / f"{path.name}.log"
        pool = RunningPool(at, words, log, **{**environment, **changed})
        started.append(pool)
        return pool

    yield run
    for pool in started:
        pool.kill()


@pytest.fixture
def alone(pool):
    """Have the module's pool leave the work to the test's own."""
    pool.ask(ledger=0, outbound=0)
    pool.wait_for("ledger")
    pool.wait_for("outbound")
    yield
    pool.ask(ledger=1, outbound=1)
    pool.wait_for("ledger")
    pool.wait_for("outbound")


@pytest.fixture
def mailed(sessions, box):
    """Return a context in which a mail is on its way, and does not arrive.

    It gives what came of it later: its job's state and attempts, and how often it came.
    """

    @contextmanager
    def mailed():
        address = f"{make_owner()}@example.org"
        lane = Lane(sessions)
        with sessions.begin() as session:
            make_user(session, email=address)
        lane.submit(lane.job(SEND, {"email": address}, queue="mail"))

        def outcome():
            (row,) = lane.rows()
            return row.state, row.attempts, len(box.sent_to(address))

        box.may_answer.clear()
        try:
            ring("mail", lane.number)
            yield outcome
        finally:
            box.may_answer.set()

    return mailed


@pytest.fixture(scope="module")
def toys(folder):
    """A pool of toys, for tests that leave it able to answer."""
    pool = RunningPool(folder / "toys", [*TOYS, str(folder / "toys")], folder / "log")
    try:
        pool.wait()
        yield pool
    finally:
        pool.kill()
