"""The API in process on a database of its own, and a worker that needs no broker."""

import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import pytest
import sqlalchemy as sa

import api.app
import celeryconfig
import tasks
from api.app import create_app
from domain.db import create_engine, create_store_engine, session_factory
from domain.keys import SCOPES
from domain.settings import Settings
from domain.webhooks.record import Endpoint
from tasks._doorbell import _flags
from tasks._drain import copies, sessions, settings
from tests.api.calling import Caller
from tests.api.holders import Demanding, Holder
from tests.api.people import make_person
from tests.api.serving import Held, Served
from tests.factories import make_key


@pytest.fixture(scope="session")
def api_database(new_database):
    """A database apart: the worker of these tests applies nobody else's jobs."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="session")
def engines():
    """Every engine that applications have made so far."""
    made = []

    def noting(create):
        def note(*arguments, **options):
            made.append(create(*arguments, **options))
            return made[-1]

        return note

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api.app, "create_engine", noting(create_engine))
        patch.setattr(api.app, "create_store_engine", noting(create_store_engine))
        yield made


@pytest.fixture(autouse=True)
def connections_closed(engines):
    """An application of a test's own lives on in its threads; let it hold nothing."""
    before = len(engines)
    yield
    for engine in engines[before:]:
        engine.dispose()


@pytest.fixture(scope="session")
def new_app(api_database):
    """Return a maker of applications, each as in a process of its own."""
    # All tests call from one address, and get many a thing wrong on purpose.
    chosen = Settings(database_url=api_database, rate_limit_address="off")
    return partial(create_app, chosen)


@pytest.fixture(scope="session")
def app(new_app):
    return new_app()


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
def new_person(app, api_sessions):
    """Return a maker of people who are logged in and hold the roles it is told."""

    def make(*held, app=app, **fields):
        return make_person(app, api_sessions, *held, kind=Holder, **fields)

    return make


@pytest.fixture
def person(new_person):
    return new_person()


@pytest.fixture
def new_holder(app, api_sessions):
    """Return a maker of people who demand signatures."""
    return partial(make_person, app, api_sessions, kind=Demanding)


@pytest.fixture
def holder(new_holder):
    return new_holder()


@pytest.fixture
def admin(new_person):
    return new_person("admin")


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
            copies().close()
            _forget()


def _forget():
    """Let the worker's side read the environment again."""
    settings.cache_clear()
    sessions.cache_clear()
    copies.cache_clear()


@pytest.fixture
def serve():
    """Return a function that connects a client to an application."""
    served = []

    def make(app):
        served.append(Served(app))
        return served[-1]

    yield make
    for one in served:
        one.__exit__()


@pytest.fixture
def held():
    held = Held()
    yield held
    held.may.set()


@pytest.fixture
def few_webhooks(api_sessions):
    """No other test's endpoints: an application has a few at most."""
    yield
    with api_sessions.begin() as session:
        gone = sa.update(Endpoint).where(Endpoint.removed_at.is_(None))
        now = datetime.now(UTC)
        session.execute(
            gone.values(removed_at=now, disabled_at=now, disabled_because="removed")
        )
