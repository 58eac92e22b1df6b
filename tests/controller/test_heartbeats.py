"""Who is heard of, for targets that cannot see their workers themselves."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.heartbeats import Heartbeats
from controller.targets import Unavailable
from domain import workers
from domain.db import create_engine, session_factory
from domain.ids import uuid7
from domain.settings import Settings
from domain.workers import Presence

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def own_sessions(new_database):
    with new_database() as url:
        engine = create_engine(Settings(database_url=url))
        yield session_factory(engine)
        engine.dispose()


@pytest.fixture
def beat(own_sessions):
    """Return a function by which a worker is heard of."""

    def beat(group, host, busy, *, ago=0):
        at = NOW - timedelta(seconds=ago)
        presence = Presence(uuid7(), "w", group, host, 1, 4, busy, started_at=at)
        with own_sessions.begin() as session:
            workers.beat(session, presence, [], now=at)

    return beat


@pytest.fixture
def heartbeats(own_sessions):
    return Heartbeats(own_sessions, lambda: NOW)


def test_those_of_a_group_are_counted_while_they_are_heard_of(heartbeats, beat):
    beat("ledger", "a", 1)
    beat("outbound", "a", 2)
    beat("outbound", "b", 0)
    beat("outbound", "b", 4, ago=3_600)

    assert (heartbeats.alive("outbound"), heartbeats.alive("ledger")) == (2, 1)
    assert heartbeats.alive("nobody") == 0


def test_jobs_in_hand_are_told_by_host(heartbeats, beat):
    beat("outbound", "a", 2)
    beat("outbound", "a", 1)
    beat("outbound", "b", 0)

    assert heartbeats.busy("outbound") == {"a": 3, "b": 0}


def test_a_database_that_is_away_is_no_answer():
    away = create_engine(Settings(database_url="postgresql://x@127.0.0.1:9/x"))
    heartbeats = Heartbeats(session_factory(away), lambda: NOW)

    with pytest.raises(Unavailable, match="the database does not answer"):
        heartbeats.alive("ledger")
