"""The controller as it is run: a process that leads, yields, and ends when told."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
import sqlalchemy as sa

from cli.processes import free_port
from domain import scaling
from domain.db import create_engine, session_factory
from domain.settings import Settings
from tests.api.observer.relay import Relay
from tests.databases import ROOT
from tests.waiting import eventually


@contextmanager
def controller(url, **environment):
    kept = {
        k: v for k, v in os.environ.items() if k not in {"REDIS_URL", "RABBITMQ_URL"}
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "controller"],
        env={**kept, "DATABASE_URL": url, "LOG_FORMAT": "json", **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def rows(own_database):
    engine = create_engine(Settings(database_url=own_database))
    sessions = session_factory(engine)

    def rows():
        with sessions() as session:
            return list(reversed(scaling.history(session, count=100)))

    yield rows
    engine.dispose()


@pytest.fixture
def recorded(rows):
    return lambda: [row.controller.rpartition(":")[2] for row in rows()]


@pytest.fixture
def relay(own_database):
    """A relay before the database."""
    url = sa.make_url(own_database)
    relay = Relay(url.host, url.port or 5432)
    yield relay
    relay.close()


def words(process, said, *, within=30):
    """Return what a controller logs, up to the line that is asked for."""
    found = []
    # Whoever says nothing would be listened to for ever.
    with closing_after(process, within):
        for line in process.stdout:
            found.append(json.loads(line))
            if said(found[-1]):
                return found
    raise AssertionError(f"not said within {within} s, but {found}")


@contextmanager
def closing_after(process, seconds):
    """End a process that is not done with a block in time."""
    ending = threading.Timer(seconds, process.kill)
    ending.start()
    try:
        yield
    finally:
        ending.cancel()


def is_held(line):
    return "the database does not answer" in line.get("sentence", "")


def test_it_leads_records_and_ends_when_told(own_database, recorded):
    with controller(own_database) as process:
        eventually(recorded, within=20)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=10)

    assert process.returncode == 0
    assert [word in out for word in ("controller_started", "leading", "stopped")] == (
        [True] * 3
    )
    assert set(recorded()) == {str(process.pid)}


def test_a_cycle_is_five_seconds(own_database, rows):
    with controller(own_database):
        first, second = eventually(
            lambda: moments if len(moments := times(rows())) > 1 else None, within=30
        )[:2]

    assert 4.5 < (second - first).total_seconds() < 7.5


def times(rows):
    """Return when there was a cycle."""
    return sorted({row.at for row in rows})


def test_a_frozen_database_holds_and_is_recorded_when_it_thaws(
    own_database, relay, rows
):
    """It takes what is said to it, and says nothing: no refusal, no end."""
    through = sa.make_url(own_database).set(host="127.0.0.1", port=relay.port)
    url = through.render_as_string(hide_password=False)
    with controller(url) as process:
        words(process, lambda line: line["event"] == "leading")
        eventually(rows, within=20)
        relay.freeze()
        said = words(process, is_held, within=20)
        relay.thaw()
        eventually(
            lambda: "held, the database does not answer" in {r.reason for r in rows()},
            within=30,
        )

    assert "database_away" in {line["event"] for line in said}


def test_a_killed_one_is_followed_by_who_stood_by(own_database, recorded):
    with controller(own_database) as first:
        eventually(recorded, within=20)
        with controller(own_database) as second:
            first.kill()
            eventually(lambda: str(second.pid) in recorded(), within=20)

    assert sorted(set(recorded()), key=recorded().index) == [
        str(first.pid),
        str(second.pid),
    ]


@pytest.mark.long
def test_a_frozen_one_is_followed_by_who_stood_by(own_database, recorded):
    """It holds its connection, and so would hold the lock for ever."""
    with controller(own_database) as first:
        eventually(recorded, within=20)
        with controller(own_database) as second:
            first.send_signal(signal.SIGSTOP)
            eventually(lambda: str(second.pid) in recorded(), within=60)
            first.send_signal(signal.SIGCONT)
            gone = words(first, lambda line: line["event"] == "standing_by", within=30)

    assert "leading" in {line["event"] for line in gone}


def test_its_figures_are_told_while_it_leads(own_database, recorded):
    port = free_port()
    with controller(own_database, METRICS_PORT_CONTROLLER=str(port)):
        eventually(recorded, within=20)
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            told = answer.read().decode()

    assert "coin_controller_leader 1.0" in told
    assert 'coin_controller_workers{group="ledger",state="desired"}' in told


def test_what_only_other_targets_need_is_not_read():
    """Each takes its megabytes, and the controller may have eighty."""
    program = "import sys, controller.__main__; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "redis" in said.stdout.split()
    assert not {"celery", "kombu", "kubernetes"} & set(said.stdout.split())


def test_it_waits_for_a_database_that_is_not_there():
    with controller("postgresql://coin:hush@127.0.0.1:1/coin") as process:
        line = next(line for line in process.stdout if "database_away" in line)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=10)

    assert process.returncode == 0
    assert "hush" not in line + out


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CONTROLLER_BOUNDS", "leger=1-8", "there is no group 'leger', but ledger"),
        ("CONTROLLER_TARGET", "docker", "must be one of local, celery"),
    ],
)
def test_what_cannot_be_is_said_before_it_begins(own_database, variable, value, said):
    with controller(own_database, **{variable: value}) as process:
        out, _ = process.communicate(timeout=20)

    assert process.returncode == 1
    assert said in out
