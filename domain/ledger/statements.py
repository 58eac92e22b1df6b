"""Reading the books: balances now and then, statements, the trial balance."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.ledger.postings import OWNER_SHARD
from domain.ledger.transfers import NoSuchTransfer, TransferRow, rows
from domain.pages import Page, Position, newest_first


@dataclass(frozen=True, slots=True)
class Balance:
    """An owner's credits; no account at all is balance 0 at version 0."""

    balance: int
    version: int
    last_updated: datetime | None


# A system account is the sum of its shards, an owner's the sum of one. An account
# is opened by the first write that names it, even by one that is refused.
_NOW: Final = sa.text("""
    SELECT coalesce(sum(balance), 0)::bigint, coalesce(sum(version), 0)::bigint,
           max(updated_at) FILTER (WHERE version > 0)
    FROM accounts WHERE application = :application AND owner = :owner
""")

# The last entry at or before that time is on one of the account's two sides.
_THEN: Final = sa.text("""
    SELECT coalesce(sum(e.balance_after), 0)::bigint,
           coalesce(sum(e.version), 0)::bigint, max(e.created_at)
    FROM accounts a, LATERAL (
        SELECT balance_after, version, created_at FROM entries
        WHERE account_id = a.id AND created_at <= :at
        ORDER BY version DESC LIMIT 1) AS e
    WHERE a.application = :application AND a.owner = :owner
""")


def balance(
    session: Session, *, application: str, owner: str, at: datetime | None = None
) -> Balance:
    """Return an owner's balance, now or as it was at an earlier time."""
    bound = {"application": application, "owner": owner}
    if at is None:
        row = session.execute(_NOW, bound).one()
    else:
        row = session.execute(_THEN, {**bound, "at": at}).one()
    return Balance(*row)


def find_transfer(
    session: Session, transfer_id: UUID, *, application: str
) -> TransferRow:
    """Return one transfer of the application, or raise NoSuchTransfer."""
    bound = {"id": transfer_id, "application": application}
    row = session.execute(_ONE, bound).first()
    if row is None:
        raise NoSuchTransfer
    return TransferRow._make(row)


_ONE: Final = rows("t.id = :id AND o.application = :application")

_entries = sa.table(
    "entries",
    *(
        sa.column(name)
        for name in (
            "transfer_id",
            "account_id",
            "counterparty_id",
            "amount",
            "balance_after",
            "version",
            "operation_id",
            "nonce",
            "metadata",
            "reversal_of",
            "created_at",
        )
    ),
)
_accounts = sa.table(
    "accounts", *map(sa.column, ("id", "application", "owner", "shard"))
)
_operations = sa.table("operations", *map(sa.column, ("id", "application", "name")))


def statement(  # noqa: PLR0913  the filters of a statement
    session: Session,
    *,
    application: str,
    owner: str,
    operation: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    start: Position | None = None,
    limit: int,
) -> Page[Any]:
    """Return an owner's entries, newest first; `since` counts, `until` does not."""
    # Only subqueries beside the entries: both their indexes then yield the account's
    # in order, and a page costs a page, however long the statement is.
    account = sa.select(_accounts.c.id).where(
        _accounts.c.application == application,
        _accounts.c.owner == owner,
        _accounts.c.shard == OWNER_SHARD,
    )
    counterparty = sa.select(_accounts.c.owner).where(
        _accounts.c.id == _entries.c.counterparty_id
    )
    name = sa.select(_operations.c.name).where(
        _operations.c.id == _entries.c.operation_id
    )
    query = sa.select(
        _entries.c.transfer_id,
        name.scalar_subquery().label("operation"),
        _entries.c.amount,
        _entries.c.balance_after,
        _entries.c.version,
        counterparty.scalar_subquery().label("counterparty"),
        _entries.c.nonce,
        _entries.c.metadata,
        _entries.c.reversal_of,
        _entries.c.created_at,
    ).where(_entries.c.account_id == account.scalar_subquery())
    if operation is not None:
        query = query.where(
            _entries.c.operation_id
            == sa.select(_operations.c.id)
            .where(
                _operations.c.application == application,
                _operations.c.name == operation,
            )
            .scalar_subquery()
        )
    if since is not None:
        query = query.where(_entries.c.created_at >= since)
    if until is not None:
        query = query.where(_entries.c.created_at < until)
    return newest_first(
        session,
        query,
        column=_entries.c.version,
        key=lambda row: row.version,
        start=start,
        limit=limit,
    )


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """An application's books in three numbers, from one snapshot."""

    sum: int
    accounts: int
    transfers: int


# Every transfer raises two versions by one, so no transfer has to be counted.
_TRIAL: Final = sa.text("""
    SELECT coalesce(sum(balance), 0)::bigint, count(*) FILTER (WHERE version > 0),
           (coalesce(sum(version), 0) / 2)::bigint
    FROM accounts WHERE application = :application
""")


def trial_balance(session: Session, *, application: str) -> TrialBalance:
    """Return the sum of all balances, which is 0, and what it was taken over."""
    return TrialBalance(*session.execute(_TRIAL, {"application": application}).one())
