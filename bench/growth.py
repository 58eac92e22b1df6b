"""What a transfer takes on disk, and books as they are after years."""

from typing import Any

import sqlalchemy as sa

from bench.stack import Stack

_CHUNK = 500_000
_OWNERS = 1_000

_SIZES = """
    SELECT c.relname AS name, t.relname AS of_table, pg_relation_size(c.oid) AS bytes
    FROM pg_class c
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    JOIN pg_class t ON t.oid = coalesce(i.indrelid, c.oid)
    WHERE t.relname IN ('transfers', 'jobs', 'accounts') AND c.relkind IN ('r', 'i')
    ORDER BY t.relname, c.relkind DESC, c.relname
"""

# Transfers as the ledger writes them, between a pair of accounts a number of the
# series picks; balances and versions continue those accounts' own.
_STORE = """
WITH numbered AS (
    SELECT n, 1 + n % :owners AS pair, 1 + (n / :owners)::bigint AS version
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
)
INSERT INTO transfers (id, debit_account, credit_account, amount, debit_balance,
    credit_balance, debit_version, credit_version, created_at, job_id, operation_id,
    nonce)
SELECT gen_random_uuid(), d.id, c.id, 1, -version, version, version, version,
    now(), gen_random_uuid(), o.id, 'stored-' || n
FROM numbered
JOIN accounts d ON d.application = 'commons' AND d.owner = '@stored' AND d.shard = pair
JOIN accounts c ON c.application = 'commons' AND c.owner = 'stored' || pair
JOIN operations o ON o.application = 'commons' AND o.name = 'CREDIT_ADD'
"""

_JOBS = """
INSERT INTO jobs (id, kind, queue, lane, state, attempts, application, principal,
    idempotency, digest, payload, result, submitted_at, deadline, finished_at)
SELECT gen_random_uuid(), 'ledger.post_operation', 'ledger', n % 2, 'succeeded', 1,
    'commons', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
    '{"nonce":"stored","owner_id":"stored","operation":"CREDIT_ADD"}',
    '{"balance":1}', now(), now(), now()
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
"""


def storage(stack: Stack) -> dict[str, float]:
    """Return bytes a transfer, table by table and index by index."""
    with stack.engine.connect() as connection:
        transfers = connection.execute(sa.text("SELECT count(*) FROM transfers"))
        total = max(1, transfers.scalar_one())
        sizes = connection.execute(sa.text(_SIZES)).all()
    return {f"{row.of_table}: {row.name}": row.bytes / total for row in sizes}


def store(stack: Stack, transfers: int) -> None:
    """Fill the books with that many transfers and as many finished jobs."""
    with stack.engine.connect() as connection:
        connection.execute(sa.text(_ACCOUNTS), {"owners": _OWNERS})
        for first in range(0, transfers, _CHUNK):
            bound: dict[str, Any] = {"first": first, "last": first + _CHUNK - 1}
            connection.execute(sa.text(_STORE), {**bound, "owners": _OWNERS})
            connection.execute(sa.text(_JOBS), bound)
            print(f"stored {first + _CHUNK:,} transfers", flush=True)
        _settle_accounts(connection, transfers // _OWNERS)
        connection.exec_driver_sql("VACUUM ANALYZE transfers")
        connection.exec_driver_sql("VACUUM ANALYZE jobs")
        connection.exec_driver_sql("CHECKPOINT")


_ACCOUNTS = """
INSERT INTO accounts (application, owner, shard, lower_bound, updated_at)
SELECT 'commons', '@stored', n, NULL, now() FROM generate_series(1, :owners) AS n
UNION ALL
SELECT 'commons', 'stored' || n, 0, NULL, now() FROM generate_series(1, :owners) AS n
"""


def _settle_accounts(connection: sa.Connection, version: int) -> None:
    for owner, sign in (("@stored", -1), ("stored%", 1)):
        connection.execute(
            sa.text(
                "UPDATE accounts SET balance = :balance, version = :version"
                " WHERE application = 'commons' AND owner LIKE :owner"
            ),
            {"balance": sign * version, "version": version, "owner": owner},
        )
