"""The schema from nothing, back again, and the same as the models say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

import domain.content
import domain.keys
from domain.db import APP_ROLE, Base, create_engine
from domain.settings import Settings
from tests import databases

ROOT = Path(__file__).parents[1]
SECONDS = 60

# Importing them is what puts their tables into the metadata.
RECORDS = (domain.content.Content, domain.keys.ApiKey)


@pytest.fixture
def empty(empty_database):
    with empty_database() as url:
        yield url


def asked(url, query):
    engine = create_engine(Settings(database_url=url), role=False)
    with engine.connect() as connection:
        found = query(connection)
    engine.dispose()
    return found


def tables(url):
    names = asked(url, lambda connection: sa.inspect(connection).get_table_names())
    return set(names) - {"alembic_version"}


def test_models_and_migrations_agree(empty):
    databases.upgrade(empty)

    databases.check_drift(empty)


def test_the_schema_goes_down_to_nothing_and_up_again(empty):
    databases.upgrade(empty)
    before = tables(empty)
    databases.downgrade(empty, "base")
    between = tables(empty)
    databases.upgrade(empty)

    assert before == tables(empty) == set(Base.metadata.tables)
    assert between == set()


def test_two_processes_may_migrate_at_once(empty):
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    environment = {**os.environ, "DATABASE_URL": empty}
    both = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    ends = [
        (process.communicate(timeout=SECONDS)[1], process.returncode)
        for process in both
    ]

    assert [code for _, code in ends] == [0, 0], ends
    assert tables(empty) == set(Base.metadata.tables)


def test_revisions_are_four_digits_in_one_line():
    script = ScriptDirectory.from_config(databases.configuration())
    revisions = [revision.revision for revision in script.walk_revisions()]

    assert len(script.get_heads()) == 1
    assert all(re.fullmatch(r"\d{4}", revision) for revision in revisions)
    assert sorted(revisions, reverse=True) == revisions


def test_the_application_owns_nothing_it_could_alter(empty):
    databases.upgrade(empty)
    owned = asked(
        empty,
        lambda connection: connection.scalar(
            sa.text(
                "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner"
                " WHERE r.rolname = :role"
            ),
            {"role": APP_ROLE},
        ),
    )

    assert owned == 0
