import psycopg2
import pytest
import sqlalchemy as sa
import structlog
from redis import Redis

import celeryconfig
from domain.ledger.accounts import Account
from tasks import _beats, _doorbell, _drain
from tasks._registry import Kind, kinds
from tests.factories import fund, make_owner
from tests.receiver import receiving
from tests.tasks.lanes import Lane
from tests.tasks.processes import running


@pytest.fixture(autouse=True, scope="package")
def plain_logs():
    """Tracebacks with colours, frames and locals take a second each to draw."""
    before = structlog.get_config()
    structlog.configure(
        processors=[
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def worker(monkeypatch, database_url, redis_url):
    """Make this process a worker on the test's own servers."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setattr(celeryconfig, "broker_url", redis_url)
    # However slow this machine is, a turn is long enough for what a test asks of it.
    monkeypatch.setattr(_drain, "TURN_SECONDS", 30.0)
    monkeypatch.setattr(_beats, "_LEAVE_SECONDS", 30.0)
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
def blocked(database_url, sessions):
    """Hold an owner's account; say when a worker waits for it; let it go."""
    owner = make_owner()
    with sessions.begin() as session:
        fund(session, owner)
    watcher = psycopg2.connect(database_url)
    watcher.autocommit = True
    with sessions() as holder:
        query = sa.select(Account.id).where(Account.owner == owner).with_for_update()
        holder.execute(query)

        def waited_for():
            with watcher.cursor() as cursor:
                cursor.execute("""
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'
                """)
                return cursor.fetchone()[0] > 0

        yield owner, waited_for, holder.rollback
    watcher.close()


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


@pytest.fixture
def receiver():
    """One that takes webhooks, on this host."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def run(tmp_path, redis_url, database_url):
    """Run programs of the product on the test's own servers."""
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "RABBITMQ_URL": "",
        "LOG_FORMAT": "json",
    }
    with running(tmp_path / "celery.log", **environment) as run:
        yield run
