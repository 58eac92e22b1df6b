"""The API in process on a database of its own, and a worker that needs no broker."""

import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

import celeryconfig
import tasks
from api.app import create_app
from domain.db import create_engine, session_factory
from domain.keys import SCOPES
from domain.settings import Settings
from tasks._doorbell import _flags
from tasks._drain import sessions, settings
from tests.api.calling import Caller
from tests.factories import make_key


@pytest.fixture(scope="session")
def api_database(new_database):
    """A database apart: the worker of these tests applies nobody else's jobs."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="session")
def app(api_database):
    return create_app(Settings(database_url=api_database))


@pytest.fixture(scope="session")
def api_sessions(api_database):
    engine = create_engine(Settings(database_url=api_database))
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture(autouse=True)
def no_broker(monkeypatch):
    """Whatever REDIS_URL says, nothing here rings."""
    monkeypatch.setattr(celeryconfig, "broker_url", None)
    _flags.cache_clear()
    yield
    _flags.cache_clear()


@pytest.fixture
def new_caller(app, api_sessions):
    """Return a maker of callers, each with a key (and so a principal) of its own."""

    def make(*scopes, app=app, sessions=api_sessions, **fields):
        with sessions.begin() as session:
            _, text = make_key(
                session, scopes=scopes or SCOPES, now=datetime.now(UTC), **fields
            )
        return Caller(app, text)

    return make


@pytest.fixture
def caller(new_caller):
    """One with every scope in the application `commons`."""
    return new_caller()


@pytest.fixture
def stranger(app):
    """One without any key."""
    return Caller(app)


@pytest.fixture
def stored_jobs(api_sessions):
    """Return how many jobs of callers there are; periodic ones do not count."""

    def count():
        with api_sessions() as session:
            return session.scalar(
                sa.text("SELECT count(*) FROM jobs WHERE application IS NOT NULL")
            )

    return count


@pytest.fixture
def working():
    """Return a context in which a worker polls a database."""
    return _working


@pytest.fixture
def worker(api_database):
    """A worker on the API's database for as long as the test lasts."""
    with _working(api_database):
        yield


@contextmanager
def _working(database):
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("DATABASE_URL", database)
        _forget()
        stop = threading.Event()
        thread = threading.Thread(target=tasks.poll, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            sessions().kw["bind"].dispose()
            _forget()


def _forget():
    """Let the worker's side read the environment again."""
    settings.cache_clear()
    sessions.cache_clear()
