"""What PostgreSQL itself refuses, whoever asks and however."""

from itertools import product

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from domain import audit_events, content, jobs
from domain.ids import uuid7
from domain.jobs import STATES
from tests import databases
from tests.factories import (
    NOW,
    fund,
    make_claim,
    make_job,
    make_lane,
    make_operation,
    make_origin,
    make_owner,
    post_one,
)

RESTRICTED = "23001"
FORBIDDEN = "42501"
UNIQUE = "23505"
CHECK = "23514"
FOREIGN = "23503"
NULL = "23502"

# May a job of the first state become one of the second? From the job's point of view:
# work waits, or is under way; then it has ended, and only failure can be undone.
LEGAL = {
    "queued": set(STATES),
    "running": {"running", "queued", "succeeded", "refused", "failed"},
    "succeeded": set(),
    "refused": set(),
    "failed": {"queued"},
    "cancelled": set(),
    "expired": set(),
}


@pytest.fixture
def as_owner(owner_engine):
    """Sessions of the one who owns the tables: a superuser, on embedded servers."""
    with databases.rolled_back(owner_engine) as session:
        yield session


def refusal(session, statement, **bound):
    """Run a statement that must fail; return PostgreSQL's code for why."""
    with pytest.raises(DBAPIError) as raised, session.begin_nested():
        session.execute(sa.text(statement), bound)
    return raised.value.orig.pgcode


def write_books(session):
    """Put a row into every table of the books."""
    owner, origin = make_owner(), make_origin(application="content")
    fund(session, owner, origin=origin)
    payload = {"owner_id": owner, "nonce": str(uuid7())}
    claim = make_claim(content.CREATE_CONTENT, payload, application="content")
    content.create(session, [claim], lane=make_lane(), now=NOW)
    audit_events.record(
        session,
        action="key.created",
        actor=None,
        subject="key:x",
        details={},
        request_id=None,
        now=NOW,
    )
    session.flush()


BOOKS = ["transfers", "contents"]
REWRITES = {
    "UPDATE transfers SET amount = amount + 1": RESTRICTED,
    "UPDATE transfers SET metadata = NULL": RESTRICTED,
    "DELETE FROM transfers": RESTRICTED,
    "TRUNCATE transfers CASCADE": RESTRICTED,
    "UPDATE contents SET title = 'x'": RESTRICTED,
    "DELETE FROM contents": RESTRICTED,
    "TRUNCATE contents": RESTRICTED,
    "DELETE FROM accounts": RESTRICTED,
    "TRUNCATE accounts CASCADE": RESTRICTED,
    "TRUNCATE operations CASCADE": RESTRICTED,
    "UPDATE audit_events SET details = '{}'": RESTRICTED,
    "DELETE FROM audit_events": RESTRICTED,
    "TRUNCATE audit_events": RESTRICTED,
    "TRUNCATE jobs": RESTRICTED,
}


@pytest.mark.parametrize("statement", REWRITES)
def test_the_owner_of_the_tables_cannot_rewrite_the_books(as_owner, statement):
    write_books(as_owner)

    assert refusal(as_owner, statement) == REWRITES[statement]


@pytest.mark.parametrize(
    "statement",
    [
        *REWRITES,
        "DELETE FROM operations",
        "UPDATE operations SET amount = 1",
        "INSERT INTO operations (application, name) VALUES ('commons', 'GIFT')",
        "DELETE FROM api_keys",
        "UPDATE api_keys SET scopes = '{}'",
        "UPDATE api_keys SET digest = ''",
        "DELETE FROM wallets",
        "UPDATE wallets SET public_key = ''",
        "UPDATE wallets SET user_id = NULL",
        "UPDATE signature_demands SET since = now()",
        "UPDATE used_signatures SET principal = NULL",
        "UPDATE accounts SET owner = 'x'",
        "UPDATE accounts SET lower_bound = NULL",
        "UPDATE jobs SET principal = NULL",
        "UPDATE jobs SET application = NULL",
        "UPDATE jobs SET idempotency = NULL",
        "UPDATE jobs SET position = DEFAULT",
        "UPDATE alembic_version SET version_num = '0000'",
        "ALTER TABLE transfers DISABLE TRIGGER ALL",
        "DROP TABLE transfers",
        "CREATE TABLE shadow ()",
    ],
)
def test_the_application_has_no_right_to_rewrite(session, statement):
    write_books(session)

    assert refusal(session, statement) == FORBIDDEN


def said_by_migrations(name):
    """Return the tables of a list that migrations have by this name."""
    script = ScriptDirectory.from_config(databases.configuration())
    modules = [revision.module for revision in script.walk_revisions()]
    return sorted({table for one in modules for table in getattr(one, name, ())})


ADDED_TO = [
    *("transfers", "contents", "audit_events"),
    *said_by_migrations("_ONLY_ADDED_TO"),
    *said_by_migrations("_PARTS"),
]
KEPT = ["accounts", *said_by_migrations("_KEPT")]


def test_what_a_decision_rests_on_is_only_added_to():
    """The lists above are those of the migrations; this is what must be in them."""
    assert {
        *("ballots", "secret_ballots", "ballot_receipts", "participations"),
        *("electors", "proposal_freezes", "proposal_seeds", "proposal_events"),
        *("proposal_texts", "proposal_types", "conflicts_of_interest", "tallies"),
        *("vote_spendings", "secret_ballots_00", "secret_ballots_63"),
    } <= set(ADDED_TO)
    assert {"proposals", "councils", "council_members", "recalls"} <= set(KEPT)


def rewrites(session, table):
    """Return statements that would change, delete and empty a table."""
    first = session.scalar(
        sa.text("""
            SELECT quote_ident(attname) FROM pg_attribute
            WHERE attrelid = CAST(:table AS regclass) AND attnum > 0
              AND NOT attisdropped AND attgenerated = '' AND attidentity = ''
            ORDER BY attnum LIMIT 1
        """),
        {"table": table},
    )
    # Cascading, or it would be refused for what refers to it.
    return [
        f"DELETE FROM {table}",  # noqa: S608  a table's name
        f"TRUNCATE {table} CASCADE",
        f"UPDATE {table} SET {first} = {first}",  # noqa: S608  and a column's
    ]


@pytest.mark.parametrize("table", [*ADDED_TO, *KEPT])
def test_not_even_their_owner_changes_deletes_or_empties_tables(as_owner, table):
    """Their own trigger refuses it, and not one of a table that hangs on them."""
    statements = rewrites(as_owner, table)

    for statement in statements if table in ADDED_TO else statements[:2]:
        with pytest.raises(DBAPIError) as refused, as_owner.begin_nested():
            as_owner.execute(sa.text(statement))
        assert refused.value.orig.pgcode == RESTRICTED
        assert f" of {table} is refused" in str(refused.value.orig)


@pytest.mark.parametrize("table", [*ADDED_TO, *KEPT])
def test_the_application_has_no_right_to_change_delete_or_empty_them(session, table):
    statements = rewrites(session, table)

    for statement in statements if table in ADDED_TO else statements[:2]:
        assert refusal(session, statement) == FORBIDDEN


def test_a_job_of_an_application_cannot_be_deleted(session):
    job = make_job()
    jobs.submit(session, [job])

    assert refusal(session, "DELETE FROM jobs WHERE id = :id", id=job.id) == RESTRICTED


def test_a_job_of_the_system_can_be_deleted(session):
    job = make_job(application=None, principal=None)
    jobs.submit(session, [job])
    session.execute(sa.text("DELETE FROM jobs WHERE id = :id"), {"id": job.id})

    assert session.get(jobs.Job, job.id) is None


# The state machine

FINISHED = "finished_at = now()"
COLUMNS = {
    "queued": "finished_at = NULL, result = NULL, lease_until = NULL",
    "running": "finished_at = NULL, result = NULL, lease_until = now()",
    "succeeded": f"{FINISHED}, result = '{{}}', lease_until = NULL",
    "refused": f"{FINISHED}, problem = '{{}}', result = NULL, lease_until = NULL",
    "failed": f"{FINISHED}, problem = '{{}}', result = NULL, lease_until = NULL",
    "cancelled": f"{FINISHED}, result = NULL, lease_until = NULL",
    "expired": f"{FINISHED}, result = NULL, lease_until = NULL",
}


def become(state):
    return f"UPDATE jobs SET state = '{state}', {COLUMNS[state]} WHERE id = :id"  # noqa: S608


@pytest.mark.parametrize(("before", "after"), list(product(STATES, STATES)))
def test_a_job_goes_only_where_its_state_machine_leads(as_owner, before, after):
    job = make_job()
    jobs.submit(as_owner, [job])
    if before != "queued":
        as_owner.execute(sa.text(become(before)), {"id": job.id})

    if after in LEGAL[before]:
        as_owner.execute(sa.text(become(after)), {"id": job.id})
        state = sa.text("SELECT state FROM jobs WHERE id = :id")
        assert as_owner.scalar(state, {"id": job.id}) == after
    else:
        assert refusal(as_owner, become(after), id=job.id) == RESTRICTED


@pytest.mark.parametrize("state", ["succeeded", "refused", "cancelled", "expired"])
@pytest.mark.parametrize("column", ["result = '1'", "problem = '1'", "attempts = 9"])
def test_what_became_of_a_job_is_not_rewritten(as_owner, state, column):
    job = make_job()
    jobs.submit(as_owner, [job])
    as_owner.execute(sa.text(become(state)), {"id": job.id})

    rewrite = f"UPDATE jobs SET {column} WHERE id = :id"  # noqa: S608
    assert refusal(as_owner, rewrite, id=job.id) == RESTRICTED


@pytest.mark.parametrize(
    "broken",
    [
        "state = 'done'",
        "state = 'succeeded', finished_at = now()",
        "state = 'succeeded', result = '{}'",
        "state = 'refused', finished_at = now()",
        "state = 'failed', finished_at = now()",
        "state = 'running'",
        "lease_until = now()",
        "finished_at = now()",
        "result = '{}'",
    ],
)
def test_a_job_whose_columns_contradict_its_state_is_refused(session, broken):
    job = make_job()
    jobs.submit(session, [job])

    statement = f"UPDATE jobs SET {broken} WHERE id = :id"  # noqa: S608
    assert refusal(session, statement, id=job.id) == CHECK


# Rows that could not have come from the ledger

INSERT = """
    INSERT INTO transfers (id, debit_account, credit_account, amount, debit_balance,
        credit_balance, debit_version, credit_version, created_at, job_id,
        operation_id, nonce, once)
    SELECT :id, {debit}, {credit}, {amount}, debit_balance, credit_balance,
        {debit_version}, {credit_version}, now(), job_id, {operation}, 'n', {once}
    FROM transfers WHERE id = :original
"""
SOUND = {
    "debit": "debit_account",
    "credit": "credit_account",
    "amount": "1",
    "debit_version": "debit_version + 1",
    "credit_version": "credit_version + 1",
    "operation": "operation_id",
    "once": "NULL",
}


@pytest.fixture
def insert(session):
    """Copy a stored transfer, changed in some columns."""
    posting = make_operation(owner=make_owner(), operation="SIGNUP_CREDIT")
    original = post_one(session, posting).transfer

    def insert(**changed):
        statement = INSERT.format(**SOUND | changed)
        bound = {"id": uuid7(), "original": original.id}
        return statement, bound

    return insert


def test_a_transfer_of_the_next_versions_is_stored(session, insert):
    statement, bound = insert()
    session.execute(sa.text(statement), bound)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"debit_version": "debit_version"}, UNIQUE),
        ({"credit_version": "credit_version"}, UNIQUE),
        ({"once": "once"}, UNIQUE),
        ({"amount": "-1"}, CHECK),
        ({"credit": "debit_account"}, CHECK),
        ({"operation": "9999"}, FOREIGN),
        ({"operation": "NULL"}, NULL),
        ({"debit": "-1"}, FOREIGN),
        ({"credit": "-1"}, FOREIGN),
    ],
    ids=repr,
)
def test_a_transfer_that_cannot_be_is_refused(session, insert, changed, code):
    statement, bound = insert(**changed)

    assert refusal(session, statement, **bound) == code


def test_the_same_transfer_is_not_stored_twice(session, insert):
    statement, bound = insert()

    assert refusal(session, statement, **bound | {"id": bound["original"]}) == UNIQUE


def test_an_account_cannot_sink_below_its_bound(session):
    owner = make_owner()
    fund(session, owner)

    sink = "UPDATE accounts SET balance = -1 WHERE owner = :owner"
    assert refusal(session, sink, owner=owner) == CHECK
