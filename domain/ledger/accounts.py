"""Accounts: one owner's credits in one application, locked in id order to change."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base

ISSUANCE: Final = "@issuance"
TREASURY: Final = "@treasury"
# Before a bounty's id: the account that holds its credits.
BOUNTY: Final = "@bounty:"


class AccountKey(NamedTuple):
    """What identifies an account; owners have shard 0, system accounts one a lane."""

    application: str
    owner: str
    shard: int


class Account(Base):
    """A balance and how many transfers made it."""

    __tablename__ = "accounts"
    __table_args__ = (sa.UniqueConstraint("application", "owner", "shard"),)

    id: Mapped[int] = mapped_column(
        sa.BigInteger, sa.Identity(always=True), primary_key=True
    )
    application: Mapped[str] = mapped_column(sa.Text)
    owner: Mapped[str] = mapped_column(sa.Text)
    shard: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")
    balance: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    version: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    lower_bound: Mapped[int | None] = mapped_column(sa.BigInteger, server_default="0")
    updated_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


class Standing:
    """An account's state while this transaction holds its lock."""

    __slots__ = (
        "balance",
        "changed",
        "id",
        "key",
        "lower_bound",
        "updated_at",
        "version",
    )

    def __init__(self, row: Any) -> None:
        self.id: int = row.id
        self.key = AccountKey(row.application, row.owner, row.shard)
        self.balance: int = row.balance
        self.version: int = row.version
        self.lower_bound: int | None = row.lower_bound
        self.updated_at: datetime = row.updated_at
        self.changed = False

    def available(self) -> int | None:
        """Return what can still be debited; None when there is no bound."""
        if self.lower_bound is None:
            return None
        return self.balance - self.lower_bound

    def move(self, amount: int, at: datetime) -> None:
        """Add a signed amount as the account's next version."""
        self.balance += amount
        self.version += 1
        self.updated_at = at
        self.changed = True

    def state(self) -> tuple[int, int, datetime, bool]:
        """Return what `restore` needs to undo every move after it."""
        return self.balance, self.version, self.updated_at, self.changed

    def restore(self, state: tuple[int, int, datetime, bool]) -> None:
        """Return to an earlier state of this transaction."""
        self.balance, self.version, self.updated_at, self.changed = state


def is_system(owner: str) -> bool:
    """Say whether the name is the ledger's own, which no caller may use."""
    return owner.startswith("@")


# Sorted, and before any account is locked, so that two transactions never open and
# lock the same accounts crosswise.
_OPEN: Final = sa.text("""
    INSERT INTO accounts (application, owner, shard, lower_bound, updated_at)
    SELECT application, owner, shard,
           CASE WHEN owner = :issuance THEN NULL ELSE 0 END, :now
    FROM json_to_recordset(CAST(:keys AS json))
        AS k(application text, owner text, shard smallint)
    WHERE NOT EXISTS (
        SELECT FROM accounts a WHERE a.application = k.application
            AND a.owner = k.owner AND a.shard = k.shard)
    ORDER BY application, owner, shard
    ON CONFLICT DO NOTHING
""")

_LOCK: Final = sa.text("""
    SELECT accounts.*
    FROM json_to_recordset(CAST(:keys AS json))
        AS k(application text, owner text, shard smallint)
    JOIN accounts USING (application, owner, shard)
    ORDER BY accounts.id
    FOR NO KEY UPDATE OF accounts
""")


def lock(
    session: Session, keys: Collection[AccountKey], *, now: datetime
) -> dict[AccountKey, Standing]:
    """Lock the accounts until the transaction ends, opening those that are missing."""
    text = json.dumps([key._asdict() for key in keys])
    session.execute(_OPEN, {"keys": text, "issuance": ISSUANCE, "now": now})
    rows = map(Standing, session.execute(_LOCK, {"keys": text}))
    return {standing.key: standing for standing in rows}


_STORE: Final = sa.text("""
    UPDATE accounts
    SET balance = r.balance, version = r.version, updated_at = r.updated_at
    FROM json_to_recordset(CAST(:rows AS json))
        AS r(id bigint, balance bigint, version bigint, updated_at timestamptz)
    WHERE accounts.id = r.id
""")


def store(session: Session, standings: Collection[Standing]) -> None:
    """Write the changed balances back."""
    moved = [standing for standing in standings if standing.changed]
    if not moved:
        return
    rows = [
        {
            "id": standing.id,
            "balance": standing.balance,
            "version": standing.version,
            "updated_at": standing.updated_at.isoformat(),
        }
        for standing in moved
    ]
    session.execute(_STORE, {"rows": json.dumps(rows)})
    versions = session.info.setdefault(_CHANGED, {})
    versions.update((standing.key, standing.version) for standing in moved)


_CHANGED: Final = "changed accounts"


def changed(session: Session) -> Mapping[AccountKey, int]:
    """Return the versions this session has given to accounts."""
    found: Mapping[AccountKey, int] = session.info.get(_CHANGED, {})
    return found
