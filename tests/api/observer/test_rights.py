"""The node's role reads what is shown and nothing else, and writes nothing at all."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from domain.db import create_observer_engine
from domain.settings import Settings
from tests.api.observer.readers import AUDIT, bearer

READ_ONLY = "25006"
FORBIDDEN = "42501"

# Everything the role can read; of other tables not one column.
WHOLE = {
    *("workload_samples", "controller_actions", "audit_events", "proposals"),
    *("proposal_texts", "proposal_events", "proposal_types", "council_members"),
    "councils",
}
COLUMNS = {"signing_keys": {"id", "public_key"}}
FUNCTIONS = {"observer_key", "observer_roles"}

CHANGES = (
    "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE {table} SET {column} = DEFAULT",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
    "ALTER TABLE {table} ADD mark text",
    "DROP TABLE {table}",
    "CREATE INDEX ON {table} ({column})",
)
MAKINGS = (
    "CREATE TABLE notes (note text)",
    "CREATE SCHEMA notes",
    "CREATE FUNCTION note() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE noted",
    "COPY audit_events TO PROGRAM 'true'",
)
READ = "SELECT {column} FROM {table}"
SECRETS = [
    *("api_keys.digest", "users.password_hash", "users.email", "logins.chain_key"),
    *("logins.current_digest", "signing_keys.salt", "signing_keys.proof"),
    *("jobs.payload", "jobs.result", "wallets.address", "transfers.amount"),
    *("webhook_endpoints.url", "blocks.network", "role_grants.role"),
    *("ballots.ballot", "secret_ballots.ballot", "participations.voter_id"),
    *("ballot_receipts.receipt", "electors.voter_id", "proposal_seeds.seed"),
]


@pytest.fixture(scope="module", params=["role", "login"])
def connected(request, api_database):
    """Connections as the node makes them: by the usual login, and by one of its own."""
    own = request.getfixturevalue("own_login") if request.param == "login" else ""
    chosen = Settings(database_url=api_database, observability_database_url=own)
    engine = create_observer_engine(chosen)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def columns(owners_sessions):
    """The columns of every table and view of the schema."""
    found = {}
    with owners_sessions() as session:
        for table, column in session.execute(
            sa.text("""
                SELECT table_name, column_name FROM information_schema.columns
                WHERE table_schema = 'public' ORDER BY ordinal_position
            """)
        ):
            found.setdefault(table, []).append(column)
    return found


@pytest.fixture(scope="module")
def tables(owners_sessions):
    with owners_sessions() as session:
        named = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        return sorted(session.scalars(sa.text(named)))


@pytest.fixture(scope="module")
def changes(tables, columns):
    """Every way to change every table."""
    assert len(tables) > 15
    return [
        change.format(table=table, column=columns[table][-1])
        for table in tables
        for change in CHANGES
    ]


def refusal(connection, statement):
    """Run a statement that must fail; return PostgreSQL's code for why."""
    with pytest.raises(DBAPIError) as raised:
        connection.exec_driver_sql(statement)
    return raised.value.orig.pgcode


def test_it_takes_the_role_and_reads_only(connected):
    with connected.connect() as connection:
        shown = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("role", "default_transaction_read_only", "statement_timeout")
        ]

    assert shown == ["coin_observer", "on", "2s"]


def test_no_table_can_be_written_through_it(connected, changes):
    with connected.connect() as connection:
        for change in changes:
            assert refusal(connection, change) in {READ_ONLY, FORBIDDEN}, change


def test_no_table_can_be_written_even_when_reading_only_is_switched_off(
    connected, changes
):
    with connected.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        for change in changes:
            assert refusal(connection, change) == FORBIDDEN, change
        connection.invalidate()


def test_nothing_can_be_made_through_it(connected):
    with connected.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        for statement in MAKINGS:
            assert refusal(connection, statement) == FORBIDDEN, statement
        connection.invalidate()


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_can_be_read_through_it(connected, secret):
    table, column = secret.split(".")
    with connected.connect() as connection:
        read = READ.format(table=table, column=column)
        assert refusal(connection, read) == FORBIDDEN


def test_it_reads_these_columns_and_no_others(connected, columns):
    readable = {}
    with connected.connect() as connection:
        for table, names in columns.items():
            may = sa.text("SELECT has_column_privilege(:table, :column, 'SELECT')")
            readable[table] = {
                name
                for name in names
                if connection.scalar(may, {"table": table, "column": name})
            }
    readable = {table: names for table, names in readable.items() if names}

    assert readable == {**{table: set(columns[table]) for table in WHOLE}, **COLUMNS}


def test_it_may_ask_these_functions_and_no_others(connected):
    asked = """
        SELECT proname FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype
          AND has_function_privilege(oid, 'EXECUTE')
    """
    with connected.connect() as connection:
        assert set(connection.exec_driver_sql(asked).scalars()) == FUNCTIONS


def test_a_login_of_its_own_gets_no_further(own_login, api_database):
    chosen = Settings(database_url=api_database, observability_database_url=own_login)
    engine = create_observer_engine(chosen)
    with engine.connect() as connection:
        connection.exec_driver_sql("RESET ROLE")
        assert refusal(connection, "SELECT digest FROM api_keys") == FORBIDDEN
        assert refusal(connection, "SET ROLE coin_app") == FORBIDDEN
        assert refusal(connection, "DELETE FROM audit_events") in {READ_ONLY, FORBIDDEN}
        connection.invalidate()
    engine.dispose()


def test_a_login_of_its_own_is_enough_for_every_answer(new_node, own_login, new_person):
    auditor = new_person("auditor")
    node = new_node(
        "postgresql://nobody@localhost:1/x", observability_database_url=own_login
    )

    state = node.get("/api/system_state").json
    assert "error" not in state["database_activity"]
    assert node.get("/api/controller_decisions").status_code == 200
    assert node.get(AUDIT, headers=bearer(auditor)).json["audit_entries"][0]["details"]


def test_a_statement_that_takes_long_is_ended(connected):
    with connected.connect() as connection:
        assert refusal(
            connection, "SET statement_timeout = 50; SELECT pg_sleep(5)"
        ) == ("57014")
        connection.invalidate()
