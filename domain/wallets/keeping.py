"""A person's wallets: new ones, the primary one, and those removed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import signatures
from domain.ids import uuid7
from domain.pages import Page, Position, newest_first
from domain.wallets.record import (
    LastProvedWallet,
    NoSuchWallet,
    TooManyWallets,
    Wallet,
    WalletExists,
)

WALLETS_MAX: Final = 20


def create(  # noqa: PLR0913  what is known of a wallet
    session: Session,
    *,
    user_id: UUID,
    network: str,
    address: str,
    label: str = "",
    public_key: bytes | None = None,
    primary: bool = False,
    now: datetime,
) -> Wallet:
    """Store a new wallet; a person's first is primary, whatever was asked."""
    others = lock_all(session, user_id)
    if any((w.network, w.address) == (network, address) for w in others):
        raise WalletExists
    if len(others) >= WALLETS_MAX:
        raise TooManyWallets
    wallet = Wallet(
        id=uuid7(),
        user_id=user_id,
        network=network,
        address=address,
        label=label,
        is_primary=False,
        public_key=public_key,
        created_at=now,
    )
    session.add(wallet)
    if primary or not others:
        _make_primary(session, wallet, others)
    session.flush()
    return wallet


def find(session: Session, wallet_id: UUID, *, user_id: UUID) -> Wallet:
    """Return one wallet of the person, or raise NoSuchWallet."""
    statement = kept(user_id).where(Wallet.id == wallet_id)
    found: Wallet | None = session.scalar(statement)
    if found is None:
        raise NoSuchWallet
    return found


def find_to_change(session: Session, wallet_id: UUID, *, user_id: UUID) -> Wallet:
    """Return one wallet that nobody else changes until the transaction ends."""
    for wallet in lock_all(session, user_id):
        if wallet.id == wallet_id:
            return wallet
    raise NoSuchWallet


def page(
    session: Session, *, user_id: UUID, start: Position | None = None, limit: int
) -> Page[Any]:
    """Return a person's wallets, newest first."""
    return newest_first(
        session,
        kept(user_id),
        column=Wallet.id.expression,
        key=lambda row: row.Wallet.id,
        start=start,
        limit=limit,
    )


def make_primary(session: Session, wallet: Wallet) -> None:
    """Make this wallet, to be changed, the primary one instead of another."""
    _make_primary(session, wallet, lock_all(session, wallet.user_id))


def remove(session: Session, wallet: Wallet, *, now: datetime) -> None:
    """Remove a wallet, to be changed; the oldest left is primary if this one was."""
    left = [w for w in lock_all(session, wallet.user_id) if w is not wallet]
    if signatures.demand_of(session, wallet.user_id) and not any(
        w.proved_at for w in left
    ):
        raise LastProvedWallet
    primary, wallet.is_primary = wallet.is_primary, False
    wallet.removed_at = now
    if primary and left:
        _make_primary(session, left[0], [wallet])
    session.flush()


def kept(user_id: UUID) -> sa.Select[Any]:
    """Return the query of a person's wallets that are not removed."""
    return sa.select(Wallet).where(
        Wallet.user_id == user_id, Wallet.removed_at.is_(None)
    )


# One at a time for each person: which wallet is primary is a question about all.
_LOCK: Final = sa.text(
    "SELECT pg_advisory_xact_lock(hashtext('wallets'), hashtext(CAST(:user AS text)))"
)


def lock_all(session: Session, user_id: UUID) -> Sequence[Wallet]:
    """Return a person's wallets, oldest first, that nobody else changes meanwhile."""
    session.execute(_LOCK, {"user": str(user_id)})
    fresh = {"populate_existing": True}
    statement = kept(user_id).order_by(Wallet.id).execution_options(**fresh)
    return session.scalars(statement).all()


def _make_primary(session: Session, wallet: Wallet, others: Sequence[Wallet]) -> None:
    for other in others:
        other.is_primary = False
    # The index sees one row at a time: never two that are primary.
    session.flush()
    wallet.is_primary = True
    session.flush()
