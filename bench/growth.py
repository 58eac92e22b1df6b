"""Books as they are after years: transfers and finished jobs by the million."""

import json
import time
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bench.claims import result_of
from bench.stack import Stack
from domain.ledger import trial_balance

MILLION = 1_000_000
_CHUNK = 500_000
_OWNERS = 1_000
# Years before now, a millisecond apart, so that what comes next is last in the index.
_FIRST_MS = 1_600_000_000_000

# Transfers as the ledger writes them, between a pair of accounts a number of the
# series picks; balances and versions continue those accounts' own.
_STORE = """
WITH numbered AS (
    SELECT n, 1 + n % :owners AS pair, 1 + (n / :owners)::bigint AS turn
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
)
INSERT INTO transfers (id, debit_account, credit_account, amount, debit_balance,
    credit_balance, debit_version, credit_version, created_at, job_id, operation_id,
    nonce)
SELECT gen_random_uuid(), d.id, c.id, 1, -turn, turn, turn, turn,
    now(), gen_random_uuid(), o.id, 'stored-' || n
FROM numbered
JOIN accounts d ON d.application = 'commons' AND d.owner = '@stored' AND d.shard = pair
JOIN accounts c ON c.application = 'commons' AND c.owner = 'stored' || pair
JOIN operations o ON o.application = 'commons' AND o.name = 'CREDIT_ADD'
"""

_JOBS = """
INSERT INTO jobs (id, kind, queue, lane, state, attempts, application, principal,
    idempotency, digest, request_id, payload, result, submitted_at, deadline,
    started_at, finished_at)
SELECT CAST(lpad(to_hex(:first_ms + n), 12, '0') || '7'
        || substr(replace(CAST(gen_random_uuid() AS text), '-', ''), 14) AS uuid),
    'ledger.post_operation', 'ledger', 0, 'succeeded', 1,
    'commons', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
    CAST(gen_random_uuid() AS text),
    '{"nonce":"stored","owner_id":"stored","operation":"CREDIT_ADD"}',
    CAST(:result AS json), now(), now(), now(), now()
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
"""

_ACCOUNTS = """
INSERT INTO accounts (application, owner, shard, lower_bound, updated_at)
SELECT 'commons', '@stored', n, CAST(NULL AS bigint), now()
FROM generate_series(1, :owners) AS n
UNION ALL
SELECT 'commons', 'stored' || n, 0, 0, now() FROM generate_series(1, :owners) AS n
"""

_SETTLE = """
UPDATE accounts SET balance = :balance, version = :version
WHERE application = 'commons' AND owner LIKE :owner
"""


class Unbalanced(RuntimeError):
    """What was stored does not add up."""


def store(stack: Stack, transfers: int) -> None:
    """Fill the books with that many transfers and as many finished jobs."""
    began = time.monotonic()
    fixed = {"owners": _OWNERS, "first_ms": _FIRST_MS}
    fixed["result"] = json.dumps(result_of(UUID(int=0)))
    with stack.engine.connect() as connection:
        connection.execute(sa.text(_ACCOUNTS), fixed)
        for first in range(0, transfers, _CHUNK):
            end = min(first + _CHUNK, transfers)
            bound: dict[str, Any] = {"first": first, "last": end - 1}
            connection.execute(sa.text(_STORE), fixed | bound)
            connection.execute(sa.text(_JOBS), fixed | bound)
            seconds = time.monotonic() - began
            print(f"{end:,} stored after {seconds:.0f} s", flush=True)
        _settle_accounts(connection, transfers // _OWNERS)
        connection.exec_driver_sql("VACUUM ANALYZE transfers, jobs, accounts")
        connection.exec_driver_sql("CHECKPOINT")
        _audit(connection)


def _settle_accounts(connection: sa.Connection, version: int) -> None:
    for owner, sign in (("@stored", -1), ("stored%", 1)):
        bound = {"balance": sign * version, "version": version, "owner": owner}
        connection.execute(sa.text(_SETTLE), bound)


def _audit(connection: sa.Connection) -> None:
    """Hold the accounts against each other and against the transfers there are."""
    with Session(connection) as session:
        trial = trial_balance(session, application="commons")
    stored = connection.execute(sa.text("SELECT count(*) FROM transfers")).scalar_one()
    if trial.sum != 0 or trial.transfers != stored:
        raise Unbalanced(f"{trial}, of {stored} transfers")
