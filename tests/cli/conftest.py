import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg2
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

import cli
from cli import main
from cli.servers import embedded_postgres, embedded_redis
from controller.targets import Unavailable
from controller.targets.local import say
from domain.db import create_engine, session_factory
from domain.settings import Settings

ROOT = Path(cli.__file__).parent.parent
SERVERS = ("DATABASE_URL", "REDIS_URL", "RABBITMQ_URL")
NOTHING_YET = (
    "TRUNCATE workers, workload_samples, controller_actions, controller_orders",
    "DELETE FROM jobs",
)
START_SECONDS = 60
STOP_SECONDS = 60


def new_folder():
    """Return a context of a folder for servers.

    Not below pytest's own: each pytest that starts closes that to other accounts, and
    for root PostgreSQL runs as one.
    """
    return tempfile.TemporaryDirectory(prefix="coin-tests-")


@pytest.fixture
def folder():
    with new_folder() as name:
        yield Path(name)


@pytest.fixture(scope="session")
def own_postgres():
    """A PostgreSQL of this directory's tests alone: they change its settings."""
    with new_folder() as name, embedded_postgres(Path(name)) as url:
        yield url


@pytest.fixture(scope="session")
def own_redis():
    with new_folder() as name, embedded_redis(Path(name)) as url:
        yield url


@pytest.fixture
def bare_database(own_postgres):
    """A database without tables, whose owner may do anything."""
    name = f"test_{uuid.uuid4().hex}"
    connection = psycopg2.connect(own_postgres, connect_timeout=3)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    return own_postgres.removesuffix("postgres") + name


@pytest.fixture
def coin(monkeypatch, tmp_path):
    """Run `coin` with an environment of its own: coin("keys", "list", REDIS_URL=…)."""

    def run(*arguments, **environ):
        for name in SERVERS:
            monkeypatch.setenv(name, "")  # and back to what it was, whoever sets it
            monkeypatch.delenv(name)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return run


@pytest.fixture(scope="session")
def operated_database(new_database):
    """A database that operators' commands are tried on, one test after the other."""
    with new_database() as url:
        yield url


@pytest.fixture
def sessions(operated_database):
    """Sessions on it; nothing is decided, ordered or measured yet."""
    engine = create_engine(Settings(database_url=operated_database), role=False)
    with engine.begin() as connection:
        for statement in NOTHING_YET:
            connection.execute(sa.text(statement))
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture
def operate(coin, operated_database, sessions):
    """Run a command of `coin` on that database."""

    def operate(*arguments, **environ):
        # However wide the terminal is that the tests are run in.
        environ = {"COLUMNS": "1000", **environ}
        return coin(*arguments, DATABASE_URL=operated_database, **environ)

    return operate


@pytest.fixture
def controller(operate):
    """Run a command of `coin controller` there."""
    return partial(operate, "controller")


class RunningStack:
    """A `coin up` in a process of its own."""

    def __init__(self, data, *options, **environ):
        self.data = data
        self.log = data.with_suffix(".log")
        kept = {k: v for k, v in os.environ.items() if k not in SERVERS}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", "up", "--data", data, *options],
                cwd=ROOT,
                env={**kept, **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self):
        return self.log.read_text(errors="replace")

    @property
    def endpoints(self):
        return json.loads((self.data / "endpoints.json").read_text())

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while "\nready http://" not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)

    def ask(self, path, body=None, *, key=None, at="api"):
        """Return the status and the JSON of an answer."""
        found = self.endpoints
        connection = http.client.HTTPConnection(urlsplit(found[at]).netloc, timeout=30)
        headers = {
            "X-API-Key": key or found["key"],
            "Content-Type": "application/json",
            "Prefer": "wait=10",
        }
        method = "GET" if body is None else "POST"
        with closing(connection):
            connection.request(method, path, body and json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.load(answer)

    def sign_up(self, owner):
        body = {"owner_id": owner, "operation": "SIGNUP_CREDIT", "nonce": owner}
        return self.ask("/ledger", body)

    def members(self, group):
        """Return the workers of a group that are ready; none while the pool is away."""
        try:
            told = say(self.endpoints["workers"], {})["groups"][group]["members"]
        except Unavailable:
            return []
        return [one["pid"] for one in told if one["ready"]]

    def everyone(self):
        """Every process of the stack, however deep."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


@pytest.fixture(scope="session")
def running_stack():
    """Return a context: with running_stack(folder, "--no-flower") as stack."""

    @contextmanager
    def run(data, *options, **environ):
        stack = RunningStack(data, "--port", "0", *options, **environ)
        try:
            stack.wait_until_ready()
            yield stack
        finally:
            stack.stop()

    return run


@pytest.fixture(scope="session")
def stack(running_stack):
    """One stack for all tests that leave it as it was."""
    with new_folder() as name, running_stack(Path(name) / "data") as stack:
        yield stack
