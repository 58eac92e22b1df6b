"""Transfers: immutable, and the one place where balances change.

A batch costs the same few statements whatever its size: lock the accounts, look
for what exists, decide in memory in the order given, store.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base
from domain.errors import DomainError, IdempotencyKeyReused, NotFound, Refused
from domain.ledger import accounts
from domain.ledger.accounts import AccountKey, Standing
from domain.ledger.postings import Posting


class InsufficientCredits(Refused):
    """The account has fewer credits than this needs."""

    code = "insufficient_credits"


class NoSuchTransfer(NotFound):
    """There is no such transfer in this application."""

    code = "no_such_transfer"


class BatchRefused(Refused):
    """An entry was refused, and the batch was to be applied whole or not at all."""

    code = "batch_refused"


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


@dataclass(frozen=True, slots=True)
class Batch:
    """Postings to decide in order, atomic: all or none.

    An error stands for one that could not even be read.
    """

    postings: Sequence[Posting | DomainError]
    atomic: bool = False


class Posted(NamedTuple):
    """A transfer that stands, now or from an earlier copy of the same request."""

    transfer: TransferRow
    balance: int
    replayed: bool


Decision = Posted | DomainError


def post(
    session: Session, batches: Sequence[Batch], *, now: datetime
) -> list[list[Decision]]:
    """Apply the batches in order and return a decision for every posting."""
    postings = [p for b in batches for p in b.postings if isinstance(p, Posting)]
    keys = {key for p in postings for key in (p.debit, p.credit)}
    standings = accounts.lock(session, keys, now=now)
    books = _Books(
        standings=standings,
        existing=existing(session, [posting.id for posting in postings]),
        claimed=_claimed(session, [p.once.key for p in postings if p.once]),
        now=now,
    )
    decisions = [books.decide(batch) for batch in batches]
    _insert(session, books.new)
    accounts.store(session, standings.values())
    return decisions


class _Books:
    """The accounts at stake and what is known of them, while a batch is decided."""

    def __init__(
        self,
        *,
        standings: dict[AccountKey, Standing],
        existing: dict[UUID, TransferRow],
        claimed: set[str],
        now: datetime,
    ) -> None:
        self._standings = standings
        self._existing = existing
        self._claimed = claimed
        self._now = now
        self.new: dict[UUID, tuple[TransferRow, Posting, int, int]] = {}

    def decide(self, batch: Batch) -> list[Decision]:
        """Decide a batch's postings one after another."""
        if not batch.atomic:
            return [self._decide(posting) for posting in batch.postings]
        keys = {
            key
            for posting in batch.postings
            if isinstance(posting, Posting)
            for key in (posting.debit, posting.credit)
        }
        before = [(self._standings[key], self._standings[key].state()) for key in keys]
        count = len(self.new)
        decisions = [self._decide(posting) for posting in batch.postings]
        if any(isinstance(decision, DomainError) for decision in decisions):
            self._undo(count)
            for standing, state in before:
                standing.restore(state)
        return decisions

    def _decide(self, posting: Posting | DomainError) -> Decision:
        if isinstance(posting, DomainError):
            return posting
        if earlier := self._existing.get(posting.id):
            return _replay(earlier, posting)
        if posting.once and posting.once.key in self._claimed:
            return posting.once.refusal()
        debit = self._standings[posting.debit]
        available = debit.available()
        if available is not None and available < posting.amount:
            return InsufficientCredits(
                f"{posting.debit.owner} has {available} credits available "
                f"and this needs {posting.amount}.",
                available=available,
                needed=posting.amount,
            )
        return self._apply(posting, debit, self._standings[posting.credit])

    def _apply(self, posting: Posting, debit: Standing, credit: Standing) -> Posted:
        # A clock that steps back must not put a version before its predecessor.
        at = max(self._now, debit.updated_at, credit.updated_at)
        debit.move(-posting.amount, at)
        credit.move(posting.amount, at)
        row = TransferRow(
            id=posting.id,
            application=posting.debit.application,
            operation=posting.operation,
            amount=posting.amount,
            debit_owner=posting.debit.owner,
            debit_shard=posting.debit.shard,
            debit_balance=debit.balance,
            debit_version=debit.version,
            credit_owner=posting.credit.owner,
            credit_shard=posting.credit.shard,
            credit_balance=credit.balance,
            credit_version=credit.version,
            nonce=posting.nonce,
            metadata=posting.metadata,
            reversal_of=posting.reversal_of,
            job_id=posting.job_id,
            created_at=at,
        )
        self.new[posting.id] = (row, posting, debit.id, credit.id)
        self._existing[posting.id] = row
        if posting.once:
            self._claimed.add(posting.once.key)
        return Posted(row, _balance_of(posting.subject, row), replayed=False)

    def _undo(self, count: int) -> None:
        for transfer_id in list(self.new)[count:]:
            _, posting, _, _ = self.new.pop(transfer_id)
            del self._existing[transfer_id]
            if posting.once:
                self._claimed.discard(posting.once.key)


def _replay(earlier: TransferRow, posting: Posting) -> Decision:
    if not earlier.does(posting):
        return IdempotencyKeyReused()
    return Posted(earlier, _balance_of(posting.subject, earlier), replayed=True)


def _balance_of(subject: AccountKey, row: TransferRow) -> int:
    return row.debit_balance if row.debit_owner == subject.owner else row.credit_balance


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


def _claimed(session: Session, keys: Sequence[str]) -> set[str]:
    if not keys:
        return set()
    once = sa.select(Transfer.once).where(Transfer.once.in_(set(keys)))
    return {key for key in session.scalars(once) if key is not None}


# The join refuses an operation the database does not know: fewer rows come back.
_INSERT: Final = sa.text("""
    INSERT INTO transfers (id, debit_account, credit_account, amount,
        debit_balance, credit_balance, debit_version, credit_version, created_at,
        job_id, reversal_of, operation_id, nonce, once, metadata)
    SELECT r.id, debit_account, credit_account, r.amount,
        debit_balance, credit_balance, debit_version, credit_version, created_at,
        job_id, reversal_of, operations.id, nonce, once, metadata
    FROM json_to_recordset(CAST(:rows AS json)) AS r(
        id uuid, application text, operation text,
        debit_account bigint, credit_account bigint, amount bigint,
        debit_balance bigint, credit_balance bigint,
        debit_version bigint, credit_version bigint, created_at timestamptz,
        job_id uuid, reversal_of uuid, nonce text, once text, metadata jsonb)
    JOIN operations ON operations.application = r.application
        AND operations.name = r.operation AND NOT operations.retired
""")


def _insert(
    session: Session, new: dict[UUID, tuple[TransferRow, Posting, int, int]]
) -> None:
    if not new:
        return
    text = json.dumps([_columns(*parts) for parts in new.values()])
    stored = session.execute(_INSERT, {"rows": text}).rowcount  # type: ignore[attr-defined]
    if stored != len(new):
        raise RuntimeError("the operations table lacks an operation of the code")


def _columns(
    row: TransferRow, posting: Posting, debit_account: int, credit_account: int
) -> dict[str, Any]:
    return {
        "id": row.id.hex,
        "application": row.application,
        "operation": row.operation,
        "debit_account": debit_account,
        "credit_account": credit_account,
        "amount": row.amount,
        "debit_balance": row.debit_balance,
        "credit_balance": row.credit_balance,
        "debit_version": row.debit_version,
        "credit_version": row.credit_version,
        "created_at": row.created_at.isoformat(),
        "job_id": row.job_id.hex,
        "reversal_of": row.reversal_of and row.reversal_of.hex,
        "nonce": row.nonce,
        "once": posting.once and posting.once.key,
        "metadata": row.metadata,
    }
