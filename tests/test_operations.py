"""An application from its enum to its first transfer, and back out of the table."""

import shutil

import alembic.command
import pytest
import sqlalchemy as sa

from cli.operations import write_migrations
from domain import apps
from domain.apps import LedgerOperation, Terms, applications
from domain.db import create_engine, session_factory
from domain.ledger import balance
from domain.operations import differences
from domain.settings import Settings
from tests import databases
from tests.databases import ROOT
from tests.factories import SHARED, fund, make_operation, make_origin, post_one


@pytest.fixture
def games():
    """An application that is in code only."""
    before = dict(applications())
    operations = {**SHARED, "LEVEL_WON": Terms(7)}
    yield LedgerOperation("Games", operations, application="games")
    apps._applications.clear()
    apps._applications.update(before)


@pytest.fixture
def database(new_database):
    with new_database() as url:
        yield url


@pytest.fixture
def sessions(database):
    """Sessions of the application, as workers and the API have them."""
    engine = create_engine(Settings(database_url=database))
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture
def migrations(tmp_path):
    """A copy of the migrations, to add to."""
    return shutil.copytree(ROOT / "migrations", tmp_path / "migrations")


@pytest.fixture
def migrate(database, migrations):
    """Run alembic on the copy, as the tables' owner."""

    def migrate(command, revision):
        configuration = databases.configuration()
        configuration.set_main_option("script_location", str(migrations))
        engine = create_engine(Settings(database_url=database), role=False)
        with engine.connect() as connection:
            configuration.attributes["connection"] = connection
            command(configuration, revision)
        engine.dispose()

    return migrate


def test_an_application_is_one_enum_and_one_generated_migration(
    sessions, migrations, migrate, games
):
    with sessions() as session:
        write_migrations(session, migrations / "versions")
    migrate(alembic.command.upgrade, "head")
    origin = make_origin(application="games")
    with sessions.begin() as session:
        agreed = differences(session)
        posted = post_one(
            session, make_operation(origin, owner="ada", operation="LEVEL_WON")
        )

    assert agreed == []
    assert posted.transfer.operation == "LEVEL_WON"
    assert posted.balance == 7


def test_an_application_retired_by_the_way_down_keeps_its_transfers(
    sessions, migrations, migrate, games
):
    with sessions() as session:
        write_migrations(session, migrations / "versions")
    migrate(alembic.command.upgrade, "head")
    with sessions.begin() as session:
        fund(session, "ada", origin=make_origin(application="games"))
    migrate(alembic.command.downgrade, "-1")
    with sessions() as session:
        retired = differences(session)
        kept = balance(session, application="games", owner="ada").balance
    migrate(alembic.command.upgrade, "head")
    with sessions() as session:
        again = differences(session)

    assert (len(retired), kept, again) == (len(SHARED) + 3, 10, [])


def test_an_operation_the_table_lacks_is_not_written(sessions, games):
    origin = make_origin(application="games")
    with (
        pytest.raises(RuntimeError, match="lacks an operation"),
        sessions.begin() as session,
    ):
        fund(session, "ada", origin=origin)

    with sessions() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM transfers")) == 0
