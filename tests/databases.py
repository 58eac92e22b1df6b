"""Databases of a test's own, migrations, and transactions that leave nothing."""

import uuid
from contextlib import contextmanager
from pathlib import Path

import alembic.command
import psycopg2
import sqlalchemy as sa
from alembic.config import Config
from sqlalchemy.orm import Session

from domain.db import create_engine
from domain.settings import Settings

ROOT = Path(__file__).parent.parent


@contextmanager
def created(server, *, template="template1"):
    """Make a database, a copy of the one a URL or a name says; yield its URL."""
    name = f"coin_test_{uuid.uuid4().hex}"
    source = sa.make_url(template).database if "://" in template else template
    administer(
        server,
        f"CREATE DATABASE {name} TEMPLATE {source}",
        # The server is never pulled from under us: spare the disk.
        f"ALTER DATABASE {name} SET synchronous_commit = off",
    )
    try:
        url = sa.make_url(server).set(database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def administer(url, *statements):
    """Run statements that cannot run in a transaction."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def upgrade(url, revision="head"):
    """Migrate up to a revision, as the tables' owner."""
    _alembic(url, alembic.command.upgrade, revision)


def downgrade(url, revision):
    """Migrate down to a revision."""
    _alembic(url, alembic.command.downgrade, revision)


def check_drift(url):
    """Raise unless the tables are what the models say."""
    _alembic(url, alembic.command.check)


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
