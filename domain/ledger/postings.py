"""Postings: what a request asks of the books, before the books have answered."""

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from domain.apps import REVERSAL, TRANSFER, Once, Terms, applications
from domain.errors import DomainError, Invalid, Refused
from domain.ids import transfer_id
from domain.ledger.accounts import ISSUANCE, TREASURY, AccountKey, is_system

OWNER_SHARD: Final = 0


class UnknownOperation(Invalid):
    """The application has no such operation."""

    code = "unknown_operation"


class SameAccount(Invalid):
    """A transfer needs two different owners."""

    code = "same_account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a write comes from; `lane` is the one its job is applied in."""

    application: str
    principal: UUID
    job_id: UUID
    lane: int
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """What may exist once only, and the refusal of a second."""

    key: str
    refusal: type[DomainError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """An instruction to move an amount; `subject` is the account it is done for."""

    id: UUID
    job_id: UUID
    operation: str
    debit: AccountKey
    credit: AccountKey
    amount: int
    nonce: str
    subject: AccountKey
    once: Claimed | None = None
    metadata: Any = None
    reversal_of: UUID | None = None


class AlreadyClaimed(Refused):
    """This operation was already applied for this owner, as often as it may be."""

    code = "already_claimed"


class AlreadyReversed(Refused):
    """This transfer was reversed before."""

    code = "already_reversed"


def lane_of(application: str, owner: str, lanes: int) -> int:
    """Return the lane in which an owner's writes apply in the order accepted."""
    return zlib.crc32(f"{application}/{owner}".encode()) % lanes


def terms_of(application: str, operation: str) -> Terms:
    """Return an operation's terms, or raise UnknownOperation naming the known ones."""
    enum = applications()[application]
    try:
        return enum[operation].terms
    except KeyError:
        known = ", ".join(enum.__members__)
        raise UnknownOperation(
            f"{application} has no operation {operation!r}; it has {known}.",
            operation=operation,
        ) from None


def operation_posting(
    origin: Origin, *, owner: str, operation: str, nonce: str, metadata: Any = None
) -> Posting:
    """Return the posting of a configured operation, issued to or spent by its owner."""
    terms = terms_of(origin.application, operation)
    account = AccountKey(origin.application, owner, OWNER_SHARD)
    system = AccountKey(
        origin.application, ISSUANCE if terms.amount > 0 else TREASURY, origin.lane
    )
    issued = terms.amount > 0
    return Posting(
        id=transfer_id(origin.application, origin.principal, nonce),
        job_id=origin.job_id,
        operation=operation,
        debit=system if issued else account,
        credit=account if issued else system,
        amount=abs(terms.amount),
        nonce=nonce,
        subject=account,
        once=_once(terms, account, operation, origin.accepted_at),
        metadata=metadata,
    )


def _once(
    terms: Terms, account: AccountKey, operation: str, accepted_at: datetime
) -> Claimed | None:
    if terms.once is None:
        return None
    key = f"{operation}/{account.application}/{account.owner}"
    if terms.once is Once.PER_UTC_DAY:
        key += f"/{accepted_at.astimezone(UTC):%Y-%m-%d}"
    return Claimed(key, AlreadyClaimed)


def transfer_posting(  # noqa: PLR0913  what a transfer is
    origin: Origin,
    *,
    source: str,
    target: str,
    amount: int,
    nonce: str,
    metadata: Any = None,
) -> Posting:
    """Return the posting of a transfer between two owners of one application."""
    if source == target:
        raise SameAccount
    debit = AccountKey(origin.application, source, OWNER_SHARD)
    return Posting(
        id=transfer_id(origin.application, origin.principal, nonce),
        job_id=origin.job_id,
        operation=TRANSFER,
        debit=debit,
        credit=AccountKey(origin.application, target, OWNER_SHARD),
        amount=amount,
        nonce=nonce,
        subject=debit,
        metadata=metadata,
    )


def reversal_posting(  # noqa: PLR0913  what a reversal is
    origin: Origin,
    *,
    reversed_id: UUID,
    debit: AccountKey,
    credit: AccountKey,
    amount: int,
    nonce: str,
    reason: str,
) -> Posting:
    """Return the posting that undoes a transfer: its accounts, the other way round."""
    return Posting(
        id=transfer_id(origin.application, origin.principal, nonce),
        job_id=origin.job_id,
        operation=REVERSAL,
        debit=credit,
        credit=debit,
        amount=amount,
        nonce=nonce,
        subject=credit if is_system(debit.owner) else debit,
        once=Claimed(f"{REVERSAL}/{reversed_id}", AlreadyReversed),
        metadata={"reason": reason},
        reversal_of=reversed_id,
    )
