"""What the database itself says, asked again while it is away."""

import time
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import InterfaceError, OperationalError

from domain.jobs import FINAL

_AWAY_SECONDS = 60.0
_AGAIN_SECONDS = 0.1

_WAITING = """
    SELECT EXISTS (SELECT FROM jobs
        WHERE state IN ('queued', 'running') AND application IS NOT NULL
          AND run_at IS NULL AND position <= coalesce(:position, position))
"""

# Each account against its own entries: nothing lost, doubled, or out of order.
_UNSOUND = """
    WITH entry AS (
        SELECT *, sum(amount) OVER past AS summed, row_number() OVER past AS counted,
            lag(created_at, 1, '-infinity') OVER past AS earlier
        FROM entries WINDOW past AS (PARTITION BY account_id ORDER BY version)
    ), of_account AS (
        SELECT account_id, max(version) AS version, sum(amount) AS balance,
            bool_and(balance_after = summed) AS running,
            bool_and(version = counted) AS contiguous,
            bool_and(created_at >= earlier) AS in_time
        FROM entry GROUP BY account_id
    )
    SELECT owner, shard, accounts.version, accounts.balance, lower_bound,
           of_account.version AS last, of_account.balance AS sum, running, contiguous,
           in_time
    FROM accounts LEFT JOIN of_account ON account_id = id
    WHERE accounts.version <> coalesce(of_account.version, 0)
       OR accounts.balance <> coalesce(of_account.balance, 0)
       OR NOT running OR NOT contiguous OR NOT in_time
       OR accounts.balance < lower_bound
"""
_UNBALANCED = """
    SELECT application, sum(balance) FROM accounts
    GROUP BY application HAVING sum(balance) <> 0
"""


class Books:
    """A connection a question, so that no fault outlives itself here."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(
            sa.make_url(url).set(drivername="postgresql+psycopg2"),
            poolclass=sa.NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": 3, "options": "-c statement_timeout=30s"},
        )

    def ask(self, query: str, **bound: Any) -> Sequence[Any]:
        """Return the rows; while the database is away, ask again."""
        deadline = time.monotonic() + _AWAY_SECONDS
        while True:
            try:
                with self.engine.connect() as connection:
                    return connection.execute(sa.text(query), bound).all()
            except (OperationalError, InterfaceError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(_AGAIN_SECONDS)

    def waiting(self, position: int | None = None) -> bool:
        """Say whether an application's job up to there is not finished and is due."""
        return bool(self.ask(_WAITING, position=position)[0][0])

    def position(self, ids: Collection[str]) -> int:
        """Return the last position of these jobs."""
        query = "SELECT max(position) FROM jobs WHERE id = ANY(CAST(:ids AS uuid[]))"
        return int(self.ask(query, ids=list(ids))[0][0])

    def jobs(self, ids: Collection[str]) -> dict[str, Any]:
        """Return each job's state and result by its id."""
        query = """SELECT CAST(id AS text), state, result, state = ANY(:final) AS final
                   FROM jobs WHERE id = ANY(CAST(:ids AS uuid[]))"""
        rows = self.ask(query, ids=list(ids), final=sorted(FINAL))
        return {row[0]: row for row in rows}

    def transfers(self, prefix: str) -> dict[str, int]:
        """Return how many transfers each nonce with this prefix has."""
        query = """SELECT nonce, count(*) FROM transfers
                   WHERE starts_with(nonce, :prefix) GROUP BY nonce"""
        return {row[0]: row[1] for row in self.ask(query, prefix=f"{prefix}-")}

    def balances(self, prefix: str) -> dict[str, int]:
        """Return the balance of each owner with this prefix."""
        query = "SELECT owner, balance FROM accounts WHERE starts_with(owner, :prefix)"
        return {row[0]: row[1] for row in self.ask(query, prefix=f"{prefix}-")}

    def unsound(self) -> list[str]:
        """Return every account that its entries contradict."""
        return [
            str(row) for query in (_UNSOUND, _UNBALANCED) for row in self.ask(query)
        ]
