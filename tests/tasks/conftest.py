import pytest
import sqlalchemy as sa
import structlog
from redis import Redis

import celeryconfig
from tasks import _doorbell, _drain
from tasks._registry import Kind, kinds
from tests.tasks.lanes import Lane


@pytest.fixture(autouse=True, scope="package")
def plain_logs():
    """Tracebacks with colours, frames and locals take a second each to draw."""
    structlog.configure(
        processors=[
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def worker(monkeypatch, database_url, redis_url):
    """Make this process a worker on the test's own servers."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setattr(celeryconfig, "broker_url", redis_url)
    # However slow this machine is, a turn is long enough for what a test asks of it.
    monkeypatch.setattr(_drain, "TURN_SECONDS", 30.0)
    forget()
    yield
    if _drain.copies.cache_info().currsize:
        _drain.copies().close()
    if _drain.sessions.cache_info().currsize:
        _drain.sessions().kw["bind"].dispose()
    if _doorbell._flags.cache_info().currsize and (flags := _doorbell._flags()):
        flags.close()
    if _doorbell._publisher.cache_info().currsize:
        _doorbell._publisher().close()
    forget()


def forget():
    """Let the next use read the settings and connect anew."""
    for made in (
        _drain.settings,
        _drain.sessions,
        _drain.copies,
        _doorbell._publisher,
        _doorbell._flags,
    ):
        made.cache_clear()


@pytest.fixture
def lane(sessions):
    return Lane(sessions)


@pytest.fixture
def kill(owner_engine):
    """Cut a session's connection to the database, as a failing host would."""

    def kill(session):
        pid = session.scalar(sa.text("SELECT pg_backend_pid()"))
        cut = sa.text("SELECT pg_terminate_backend(:pid, 5000)")
        with owner_engine.connect() as connection:
            connection.execute(cut, {"pid": pid})

    return kill


@pytest.fixture
def broker(redis_url):
    """The test's Redis without a ring or a message."""
    with Redis.from_url(redis_url) as client:
        for key in client.scan_iter("coin:rung:*"):
            client.delete(key)
        client.delete("coin:ledger", "coin:maintenance")
        yield client


@pytest.fixture
def declare():
    """Declare kinds of job for one test."""
    declared = []

    def declare(name, **handler):
        kinds[name] = Kind(name, **handler)
        declared.append(name)
        return kinds[name]

    yield declare
    for name in declared:
        del kinds[name]


@pytest.fixture
def forget_settings():
    """Let a test that changed the environment have it read again."""
    return forget
