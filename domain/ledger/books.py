"""The books: the one place where balances change.

A batch costs the same few statements whatever its size: lock the accounts, look
for what exists, decide in memory in the order given, store.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.errors import DomainError, IdempotencyKeyReused, Refused
from domain.ledger import accounts
from domain.ledger.accounts import AccountKey, Standing
from domain.ledger.postings import Posting
from domain.ledger.transfers import Transfer, TransferRow, existing
from domain.webhooks import outbox


class InsufficientCredits(Refused):
    """The account has fewer credits than this needs."""

    code = "insufficient_credits"


class BatchRefused(Refused):
    """An entry was refused, and the batch was to be applied whole or not at all."""

    code = "batch_refused"


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
    made = session.info.setdefault(_POSTED, [])
    made.extend(row for row, *_ in books.new.values())
    return decisions


_POSTED: Final = "posted transfers"


def posted(session: Session) -> Sequence[TransferRow]:
    """Return the transfers this session has made."""
    found: Sequence[TransferRow] = session.info.get(_POSTED, ())
    return found


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


def _claimed(session: Session, keys: Sequence[str]) -> set[str]:
    if not keys:
        return set()
    once = sa.select(Transfer.once).where(Transfer.once.in_(set(keys)))
    return {key for key in session.scalars(once) if key is not None}


# The join refuses an operation the database does not know: fewer rows come back.
_INSERTION: Final = """
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
"""
_INSERT: Final = sa.text(_INSERTION)
_INSERT_HEARD: Final = sa.text(f"""
    WITH posted AS ({_INSERTION}
        RETURNING transfers.id, transfers.job_id, transfers.operation_id,
            transfers.created_at
    ), events AS ({outbox.transfer_events("posted")})
    SELECT id FROM posted
""")  # noqa: S608  the parts are constants


def _insert(
    session: Session, new: dict[UUID, tuple[TransferRow, Posting, int, int]]
) -> None:
    if not new:
        return
    text = json.dumps([_columns(*parts) for parts in new.values()])
    statement = _INSERT_HEARD if outbox.heard(session) else _INSERT
    stored = session.execute(statement, {"rows": text}).rowcount  # type: ignore[attr-defined]
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
