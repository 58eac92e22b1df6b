"""Transfers: immutable, with both accounts as they were left."""

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base
from domain.errors import NotFound
from domain.ledger.accounts import AccountKey
from domain.ledger.postings import Posting


class NoSuchTransfer(NotFound):
    """There is no such transfer in this application."""

    code = "no_such_transfer"


class Transfer(Base):
    """A positive amount moved from one account to another, with both sides after it."""

    __tablename__ = "transfers"
    __table_args__ = (
        sa.Index("transfers_debit", "debit_account", "debit_version", unique=True),
        sa.Index("transfers_credit", "credit_account", "credit_version", unique=True),
        sa.Index(
            "transfers_once",
            "once",
            unique=True,
            postgresql_where=sa.text("once IS NOT NULL"),
        ),
        sa.Index(
            "transfers_reversal",
            "reversal_of",
            postgresql_where=sa.text("reversal_of IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    debit_account: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"))
    credit_account: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"))
    amount: Mapped[int] = mapped_column(sa.BigInteger)
    debit_balance: Mapped[int] = mapped_column(sa.BigInteger)
    credit_balance: Mapped[int] = mapped_column(sa.BigInteger)
    debit_version: Mapped[int] = mapped_column(sa.BigInteger)
    credit_version: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    job_id: Mapped[UUID]
    reversal_of: Mapped[UUID | None] = mapped_column(sa.ForeignKey("transfers.id"))
    operation_id: Mapped[int] = mapped_column(
        sa.SmallInteger, sa.ForeignKey("operations.id")
    )
    nonce: Mapped[str] = mapped_column(sa.Text)
    once: Mapped[str | None] = mapped_column(sa.Text)
    # `metadata` is the declarative base's own attribute.
    note: Mapped[Any | None] = mapped_column("metadata", postgresql.JSONB)


class TransferRow(NamedTuple):
    """A transfer as it is read: both sides by owner, the operation by name."""

    id: UUID
    application: str
    operation: str
    amount: int
    debit_owner: str
    debit_shard: int
    debit_balance: int
    debit_version: int
    credit_owner: str
    credit_shard: int
    credit_balance: int
    credit_version: int
    nonce: str
    metadata: Any
    reversal_of: UUID | None
    job_id: UUID
    created_at: datetime

    @property
    def debit(self) -> AccountKey:
        """Return the account the amount came from."""
        return AccountKey(self.application, self.debit_owner, self.debit_shard)

    @property
    def credit(self) -> AccountKey:
        """Return the account the amount went to."""
        return AccountKey(self.application, self.credit_owner, self.credit_shard)

    def does(self, posting: Posting) -> bool:
        """Say whether this is what the posting asks for."""
        return (
            self.operation == posting.operation
            and self.amount == posting.amount
            # A system account's shard depends on the lane, not on the request.
            and self.debit[:2] == posting.debit[:2]
            and self.credit[:2] == posting.credit[:2]
            and self.reversal_of == posting.reversal_of
            and _exact(self.metadata) == _exact(posting.metadata)
        )

    def describe(self) -> dict[str, Any]:
        """Return the transfer as JSON shows it."""
        return {
            "id": str(self.id),
            "application": self.application,
            "operation": self.operation,
            "amount": self.amount,
            "debit": {
                "owner_id": self.debit_owner,
                "balance": self.debit_balance,
                "version": self.debit_version,
            },
            "credit": {
                "owner_id": self.credit_owner,
                "balance": self.credit_balance,
                "version": self.credit_version,
            },
            "nonce": self.nonce,
            "metadata": self.metadata,
            "reversal_of": self.reversal_of and str(self.reversal_of),
            "job_id": str(self.job_id),
            "created_at": self.created_at.isoformat(),
        }


def _exact(metadata: Any) -> Any:
    """Return JSON so that equals are equal: 1e25 and its digits are, 1 and true not."""
    return json.loads(json.dumps(metadata), parse_int=_number, parse_float=_number)


def _number(text: str) -> tuple[Decimal]:
    return (Decimal(text),)


def rows(where: str) -> sa.TextClause:
    """Return the query for TransferRows under a condition on `t`."""
    return sa.text(f"""
        SELECT t.id, o.application, o.name, t.amount,
               d.owner, d.shard, t.debit_balance, t.debit_version,
               c.owner, c.shard, t.credit_balance, t.credit_version,
               t.nonce, t.metadata, t.reversal_of, t.job_id, t.created_at
        FROM transfers t
        JOIN operations o ON o.id = t.operation_id
        JOIN accounts d ON d.id = t.debit_account
        JOIN accounts c ON c.id = t.credit_account
        WHERE {where}
    """)  # noqa: S608  conditions are constants of this package


_BY_IDS: Final = rows("t.id = ANY(CAST(:ids AS uuid[]))")


def existing(session: Session, ids: Iterable[UUID]) -> dict[UUID, TransferRow]:
    """Return those of the transfers that exist."""
    array = "{" + ",".join(map(str, ids)) + "}"
    found = map(TransferRow._make, session.execute(_BY_IDS, {"ids": array}))
    return {row.id: row for row in found}
