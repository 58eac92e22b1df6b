"""The schema: up from nothing, down, up again, and never apart from the models."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg2
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

import cli.database
import domain.db
from cli.servers import embedded_postgres
from domain.db import session_factory
from domain.operations import require_agreement
from domain.settings import Settings
from tests import databases
from tests.databases import ROOT
from tests.waiting import eventually

ONE_AT_A_TIME = 0x7065_6F70  # migrations/env.py
VERSIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))


@pytest.fixture
def database(empty_database):
    with empty_database() as url:
        yield url


def ask(url, question):
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg2"), poolclass=sa.NullPool
    )
    with engine.connect() as connection:
        return set(connection.exec_driver_sql(question).scalars())


def tables(url):
    return ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")


def functions(url):
    return ask(
        url, "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )


def test_migrations_lead_from_nothing_to_the_models(database):
    databases.upgrade(database)

    databases.check_drift(database)


def test_migrations_lead_down_to_nothing_and_up_again(database):
    databases.upgrade(database)
    whole = tables(database)
    databases.downgrade(database, "base")
    left = tables(database), functions(database)
    databases.upgrade(database)

    assert left == ({"alembic_version"}, set())
    assert tables(database) == whole
    databases.check_drift(database)


def test_every_single_step_leads_up_and_down(database):
    for version in VERSIONS:
        revision = version.name[:4]
        databases.upgrade(database, revision)
        databases.downgrade(database, "-1")
        databases.upgrade(database, revision)


def test_migrating_again_changes_nothing(database):
    databases.upgrade(database)
    databases.upgrade(database)

    databases.check_drift(database)


MIGRATE_WHEN_TOLD = """
import sys
from tests import databases
databases.configuration()
print("ready", flush=True)
sys.stdin.readline()
databases.upgrade(sys.argv[1])
"""


def migrate_at_once(*urls):
    """Run one process each, since alembic's state is one a process; return errors."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE_WHEN_TOLD, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for url in urls
    ]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    return [process.communicate()[1] for process in running]


def test_some_who_migrate_at_once_are_safe(database):
    assert migrate_at_once(database, database, database) == [""] * 3
    databases.check_drift(database)


def test_a_migration_waits_for_the_one_before_however_long_it_takes(
    database, monkeypatch
):
    monkeypatch.setattr(domain.db, "_LOCK_MS", 50)
    monkeypatch.setattr(domain.db, "_STATEMENT_MS", 100)
    before = psycopg2.connect(database)
    with ThreadPoolExecutor(1) as pool:
        before.cursor().execute(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})")
        upgraded = pool.submit(databases.upgrade, database)
        long_waits = """
            SELECT pid FROM pg_stat_activity WHERE datname = current_database()
            AND wait_event = 'advisory' AND clock_timestamp() - query_start > '0.2s'
        """
        eventually(lambda: upgraded.done() or ask(database, long_waits))
        before.close()
        upgraded.result()

    databases.check_drift(database)


def test_databases_of_a_new_server_migrated_at_once_are_safe(tmp_path):
    """Roles belong to the server: the first to need one makes it for all."""
    with embedded_postgres(tmp_path) as server, ExitStack() as made:
        urls = [made.enter_context(databases.created(server)) for _ in range(3)]

        assert migrate_at_once(*urls) == [""] * 3


def test_who_may_not_do_everything_can_migrate_a_database_of_their_own(tmp_path):
    """One who may make roles, on a new server; then one who may not, where it is."""
    with embedded_postgres(tmp_path) as server:
        for name, rights in (("first", "CREATEROLE"), ("second", "")):
            databases.administer(
                server,
                f"CREATE ROLE {name} LOGIN {rights} PASSWORD 'x'",
                f"CREATE DATABASE {name} OWNER {name}",
                *([] if rights else [f"GRANT coin_app TO {name}"]),
            )
            url = sa.make_url(server).set(username=name, password="x", database=name)
            own = url.render_as_string(hide_password=False)
            databases.upgrade(own)
            engine = domain.db.create_engine(Settings(database_url=own))
            with session_factory(engine)() as session:
                require_agreement(session)
            engine.dispose()
            databases.check_drift(own)


def test_the_schema_is_the_same_as_coin_migrate_makes_it(database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database)
    revision = cli.database.migrate(Settings(database_url=database))

    assert ask(database, "SELECT version_num FROM alembic_version") == {revision}
    databases.check_drift(database)


def test_drift_would_be_noticed(database):
    databases.upgrade(database)
    databases.administer(database, "ALTER TABLE jobs DROP COLUMN trace")

    with pytest.raises(Exception, match="trace"):
        databases.check_drift(database)


def test_revisions_have_four_digits_and_one_head():
    script = ScriptDirectory.from_config(databases.configuration())
    revisions = [revision.revision for revision in script.walk_revisions()]

    assert len(script.get_heads()) == 1
    assert sorted(revisions) == [f"{n:04}" for n in range(1, len(revisions) + 1)]
    assert [version.name[:4] for version in VERSIONS] == sorted(revisions)
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+\.py", v.name) for v in VERSIONS)


def test_every_table_with_rows_of_the_books_refuses_to_be_rewritten(database):
    """A new table of the books must have its trigger."""
    databases.upgrade(database)
    guarded = ask(
        database,
        "SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal",
    )

    assert guarded == {
        *("transfers", "contents", "accounts", "jobs", "audit_events"),
        *("proposal_types", "proposals", "proposal_texts", "proposal_events"),
        *("proposal_seeds", "proposal_freezes", "electors", "participations"),
        *("ballots", "secret_ballots", "ballot_receipts", "delegations"),
        *(f"secret_ballots_{number:02}" for number in range(64)),
        *("conflicts_of_interest", "vote_spendings", "tallies"),
        *("councils", "council_members", "nominations", "recalls", "absences"),
        *("bounties", "bounty_claims"),
    }
