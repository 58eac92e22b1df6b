"""Databases of a test's own, migrations, and transactions that leave nothing."""

from contextlib import contextmanager
from pathlib import Path

import alembic.command
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.orm import Session

from bench.faults import lent
from bench.faults.lent import administer
from domain.db import create_engine
from domain.settings import Settings

ROOT = Path(__file__).parent.parent


@contextmanager
def created(server, *, template="template1"):
    """Make a database, a copy of the one a URL or a name says; yield its URL."""
    source = sa.make_url(template).database if "://" in template else template
    with lent.postgres(server, template=source) as url:
        # The server is never pulled from under us: spare the disk.
        name = sa.make_url(url).database
        administer(server, f"ALTER DATABASE {name} SET synchronous_commit = off")
        yield url


def upgrade(url, revision="head"):
    """Migrate up to a revision, as the tables' owner."""
    _alembic(url, alembic.command.upgrade, revision)


def downgrade(url, revision):
    """Migrate down to a revision."""
    _alembic(url, alembic.command.downgrade, revision)


def check_drift(url):
    """Raise unless the tables are what the models say."""
    _alembic(url, alembic.command.check)


def head():
    """Return the newest revision."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def configuration():
    return Config(toml_file=ROOT / "pyproject.toml")


def _alembic(url, command, *arguments):
    engine = create_engine(Settings(database_url=url), role=False)
    given = configuration()
    with engine.connect() as connection:
        given.attributes["connection"] = connection
        command(given, *arguments)
    engine.dispose()


@contextmanager
def rolled_back(engine):
    """Yield a session whose rows are gone after the block."""
    with engine.connect() as connection, connection.begin() as transaction:
        with Session(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        ) as session:
            yield session
        transaction.rollback()
