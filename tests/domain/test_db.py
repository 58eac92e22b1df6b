"""The connection that stores what is accepted outlives every end of itself."""

import pytest
import sqlalchemy as sa
from psycopg2.extensions import set_wait_callback
from psycopg2.extras import wait_select
from sqlalchemy.exc import DBAPIError

from domain.db import create_store_engine, session_factory
from domain.settings import Settings


@pytest.fixture(params=[None, wait_select], ids=["blocking", "waiting"])
def store(database_url, request):
    # As in the API, where a callback waits for the server.
    set_wait_callback(request.param)
    engine = create_store_engine(Settings(database_url=database_url))
    yield session_factory(engine)
    engine.dispose()
    set_wait_callback(None)


@pytest.fixture
def end(owner_engine):
    """Return a function that ends a backend of PostgreSQL and sees it gone."""

    def end(pid):
        with owner_engine.connect() as connection:
            connection.execute(sa.select(sa.func.pg_terminate_backend(pid, 5_000)))

    return end


def backend(session):
    return session.scalar(sa.select(sa.func.pg_backend_pid()))


def test_a_statement_that_was_answered_stays_so_when_the_connection_ends(store, end):
    # Not the connection's first use: what a first one sets, a later one may set back.
    with store.begin() as session:
        backend(session)
    with store.begin() as session:
        end(backend(session))

    with pytest.raises(DBAPIError) as caught, store.begin() as session:
        backend(session)

    assert caught.value.connection_invalidated


def test_an_ended_connection_is_replaced_by_the_next(store, end):
    with store.begin() as session:
        first = backend(session)
    end(first)
    with pytest.raises(DBAPIError), store.begin() as session:
        backend(session)

    with store.begin() as session:
        assert backend(session) != first


def test_what_it_stores_needs_no_commit(store):
    table = sa.text("CREATE TEMP TABLE kept ON COMMIT DELETE ROWS AS SELECT 1")
    with store.begin() as first:
        first.execute(table)

        assert first.scalar(sa.text("SELECT count(*) FROM kept")) == 0


def test_what_was_to_be_stored_is_in_no_error(engine):
    """Errors are logged, and beside a voter's job the log would hold their ballot."""
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as raised:
        connection.execute(sa.text("SELECT 1 / 0, :vote"), {"vote": "foxglove"})

    assert "foxglove" not in str(raised.value) + repr(raised.value)
