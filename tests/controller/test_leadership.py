"""Who leads is who speaks: the lock outlives neither a silence nor its connection."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from controller.leadership import DatabaseAway, Leadership
from domain.db import create_controller_engine
from domain.settings import Settings
from tests.databases import ROOT
from tests.waiting import eventually

# Leads, says so, and speaks every tenth of a second until it leads no more.
LEADER = """
import sys, time
from controller.leadership import DatabaseAway, Leadership
from domain.db import create_controller_engine
from domain.settings import Settings

leadership = Leadership(
    create_controller_engine(Settings(database_url=sys.argv[1])), silent_seconds=1
)
try:
    while leadership.held():
        print("leading", flush=True)
        time.sleep(0.1)
except DatabaseAway:
    print("led", flush=True)
"""


@pytest.fixture
def engine(own_database):
    engine = create_controller_engine(Settings(database_url=own_database))
    yield engine
    engine.dispose()


@contextmanager
def leader(url):
    """Run a process that leads, and is taken for gone when silent for a second."""
    process = subprocess.Popen(
        [sys.executable, "-c", LEADER, url],
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "leading\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_who_is_frozen_leads_no_more_and_knows_when_it_wakes(own_database, engine):
    with leader(own_database) as frozen:
        standing_by = Leadership(engine)
        assert not standing_by.held()
        frozen.send_signal(signal.SIGSTOP)

        eventually(standing_by.held, within=10)
        frozen.send_signal(signal.SIGCONT)
        out, _ = frozen.communicate(timeout=10)

    assert out.splitlines()[-1] == "led"
    standing_by.resign()


def test_who_speaks_goes_on_leading(engine):
    leading, other = Leadership(engine, silent_seconds=1), Leadership(engine)
    spoken = iter(range(30))

    def spoke_for_three_silences():
        assert leading.held()
        assert not other.held()
        return next(spoken, None) is None

    eventually(spoke_for_three_silences, within=30)
    leading.resign()


def test_only_the_leader_is_ended_for_its_silence(engine):
    """Connections that wait for their next use are no sign of anything."""
    leading = Leadership(engine, silent_seconds=1)
    assert leading.held()
    with engine.connect() as connection:
        usual = connection.scalar(sa.text("SHOW idle_session_timeout"))

    assert usual == "0"
    leading.resign()


def test_a_lost_host_is_noticed_within_a_minute(engine):
    """Nothing says goodbye when the power goes: the server has to ask."""
    with engine.connect() as connection:
        asked = {
            name: connection.scalar(sa.text(f"SHOW tcp_keepalives_{name}"))
            for name in ("idle", "interval", "count")
        }

    assert asked["idle"], asked
    first, again, times = (int(asked[name]) for name in ("idle", "interval", "count"))
    assert 0 < first + again * times <= 60


def test_a_lock_that_was_lost_is_won_again(engine):
    leading = Leadership(engine, silent_seconds=1)
    assert leading.held()

    def lost():
        with engine.connect() as connection:
            return not connection.scalar(
                sa.text("""
                    SELECT count(*) FROM pg_locks l JOIN pg_database d
                    ON d.oid = l.database
                    WHERE locktype = 'advisory' AND datname = current_database()
                """)
            )

    eventually(lost)
    with pytest.raises(DatabaseAway):
        leading.held()

    assert leading.held()
    leading.resign()
