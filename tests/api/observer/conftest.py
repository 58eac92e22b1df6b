"""The observability node in process, on databases of the other tests or its own."""

import secrets
from contextlib import contextmanager
from functools import partial

import pytest
import sqlalchemy as sa
from psycopg2.errors import InsufficientPrivilege

import api.observer.app
from api.observer import snapshots
from api.observer.app import create_observer
from domain.db import create_engine, create_observer_engine, session_factory
from domain.settings import Settings
from tests.api.calling import Caller
from tests.databases import administer


class Node(Caller):
    """The node, asked by nobody in particular."""

    def __init__(self, app, engine):
        super().__init__(app)
        self.engine = engine

    @contextmanager
    def statements(self):
        """Collect what the node asks its database meanwhile."""
        seen = []

        def note(*arguments):
            seen.append(arguments[2])

        sa.event.listen(self.engine, "before_cursor_execute", note)
        yield seen
        sa.event.remove(self.engine, "before_cursor_execute", note)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """However slow the machine: what was looked at once is so for the whole test."""
    monkeypatch.setattr(snapshots, "FRESH_SECONDS", 60.0)


@pytest.fixture
def always_anew(monkeypatch, unhurried):
    """Every request looks anew."""
    monkeypatch.setattr(snapshots, "FRESH_SECONDS", 0.0)


@pytest.fixture
def new_node(api_database, monkeypatch):
    """Return a maker of nodes, each of which knows nothing yet."""
    made = []

    def create(settings):
        made.append(create_observer_engine(settings))
        return made[-1]

    def make(database=api_database, **settings):
        chosen = Settings(database_url=database, **settings)
        app = create_observer(chosen)
        return Node(app, made[-1])

    monkeypatch.setattr(api.observer.app, "create_observer_engine", create)
    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def node(new_node):
    return new_node()


@pytest.fixture(scope="session")
def owners_sessions(api_database):
    """Sessions of the one who owns the tables, and so may rewrite history."""
    engine = create_engine(Settings(database_url=api_database), role=False)
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def workload_database(new_database):
    """A database in which nobody but these tests samples and decides."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="session")
def workload_sessions(workload_database):
    engine = create_engine(Settings(database_url=workload_database))
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture
def busy_node(new_node, workload_database):
    """Return a maker of nodes on the database with samples and decisions."""
    return partial(new_node, workload_database)


@pytest.fixture(scope="session")
def own_login(api_database):
    """The address of the database for a login that may do nothing but observe."""
    name, password = f"observer_{secrets.token_hex(4)}", secrets.token_hex(8)
    made = f"CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE coin_observer"
    try:
        administer(api_database, made)
    except InsufficientPrivilege:
        pytest.skip("a server of yours, where no role may be made")
    url = sa.make_url(api_database).set(username=name, password=password)
    yield url.render_as_string(hide_password=False)
    administer(api_database, f"DROP ROLE {name}")
