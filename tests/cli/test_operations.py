"""`coin operations migrate`: from a difference to a migration, there and back."""

import importlib.util
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

import domain.apps
from cli.operations import write_migrations
from domain.apps import SHARED_OPERATIONS, LedgerOperation, Terms, applications
from domain.db import create_engine, session_factory
from domain.operations import Operation, differences
from domain.settings import Settings
from tests.databases import head

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"


@pytest.fixture
def owner(new_database):
    with new_database() as url:
        engine = create_engine(Settings(database_url=url), role=False)
        yield engine
        engine.dispose()


@pytest.fixture
def versions(tmp_path):
    return Path(shutil.copytree(VERSIONS, tmp_path / "versions"))


@contextmanager
def declared(name, operations):
    """Add, replace or (None) withdraw an application for a while."""
    before = dict(applications())
    known = domain.apps._applications
    known.pop(name, None)
    if operations is not None:
        LedgerOperation("Tried", operations, application=name)
    try:
        yield
    finally:
        known.clear()
        known.update(before)


def shared(**own):
    return {**{name: Terms(1) for name in SHARED_OPERATIONS}, **own}


def run(engine, path, direction):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        with Operations.context(context):
            getattr(module, direction)()


def written(engine, versions):
    with session_factory(engine)() as session:
        return write_migrations(session, versions)


def found(engine):
    with session_factory(engine)() as session:
        return differences(session)


def test_a_new_application_is_added_by_its_migration_and_retired_by_its_undoing(
    owner, versions
):
    with declared("games", shared(LEVEL_UP=Terms(2))):
        (path,) = written(owner, versions)
        run(owner, path, "upgrade")
        after = found(owner)
        run(owner, path, "downgrade")
        undone = found(owner)

    assert after == []
    assert "games.LEVEL_UP (2) is in code and not in the database" in undone


def test_a_changed_amount_and_a_withdrawn_operation_come_back_on_the_way_down(
    owner, versions
):
    with declared("content", shared(CONTENT_CREATION=Terms(-7))):
        (path,) = written(owner, versions)
        run(owner, path, "upgrade")
        after = found(owner)
        run(owner, path, "downgrade")

    assert after == []
    assert found(owner) == []


def test_a_withdrawn_operation_stays_for_its_transfers(owner, versions):
    with declared("content", None):
        (path,) = written(owner, versions)
        run(owner, path, "upgrade")
    with session_factory(owner)() as session:
        retired = session.scalars(
            sa.select(Operation.retired).where(Operation.application == "content")
        ).all()

    assert len(retired) == 8
    assert all(retired)


def test_each_application_has_a_migration_of_its_own_in_one_line(owner, versions):
    with declared("games", shared()), declared("arts", shared()):
        paths = written(owner, versions)

    arts, games = (f"{int(head()) + n:04}" for n in (1, 2))
    assert [path.name for path in paths] == [
        f"{arts}_arts_operations.py",
        f"{games}_games_operations.py",
    ]
    assert f'down_revision = "{arts}"' in paths[1].read_text()
    assert "arts" not in paths[1].read_text()


def test_nothing_is_written_when_code_and_database_agree(owner, versions):
    assert written(owner, versions) == []
