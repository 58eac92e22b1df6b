"""Proofs that a wallet's key is its person's: a challenge, and its signature."""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import signatures
from domain.wallets.keeping import lock_all
from domain.wallets.record import NoChallenge, NoProvedWallet, Wallet, WalletWithoutKey

CHALLENGE_LIFETIME: Final = timedelta(minutes=5)
_CHALLENGE_BYTES: Final = 32


def challenge(session: Session, wallet: Wallet, *, now: datetime) -> str:
    """Return the text whose signature will prove the wallet's key; kept as a digest."""
    if wallet.public_key is None:
        raise WalletWithoutKey
    text = secrets.token_urlsafe(_CHALLENGE_BYTES)
    wallet.challenge = sha256(text.encode()).digest()
    wallet.challenge_until = now + CHALLENGE_LIFETIME
    session.flush()
    return text


def to_prove(wallet: Wallet, text: str, *, now: datetime) -> tuple[bytes, bytes]:
    """Return the key and what it signs for a challenge, or raise NoChallenge."""
    key, known, until = wallet.public_key, wallet.challenge, wallet.challenge_until
    if key is None or known is None or until is None or now >= until:
        raise NoChallenge
    if not compare_digest(sha256(text.encode()).digest(), known):
        raise NoChallenge
    return key, proof_message(wallet, text)


def proof_message(wallet: Wallet, text: str) -> bytes:
    """Return the bytes a proof signs: good for nothing but this wallet's proof."""
    lines = ("peoples-coin wallet proof v1", wallet.user_id, wallet.id, text)
    return "\n".join(map(str, lines)).encode()


def prove(session: Session, wallet: Wallet, *, now: datetime) -> None:
    """Note that the key's holder has signed the challenge, which is spent by that."""
    wallet.challenge = wallet.challenge_until = None
    wallet.proved_at = now
    session.flush()


def signing_key(session: Session, wallet_id: UUID, *, user_id: UUID) -> bytes | None:
    """Return the key of a person's wallet if it is proved to be theirs."""
    return session.scalar(
        sa.select(Wallet.public_key).where(
            Wallet.id == wallet_id,
            Wallet.user_id == user_id,
            Wallet.removed_at.is_(None),
            Wallet.proved_at.is_not(None),
        )
    )


def has_proved(session: Session, user_id: UUID) -> bool:
    """Say whether a person has a wallet that can sign."""
    proved = sa.exists().where(
        Wallet.user_id == user_id,
        Wallet.removed_at.is_(None),
        Wallet.proved_at.is_not(None),
    )
    return bool(session.scalar(sa.select(proved)))


def demand_signatures(session: Session, user_id: UUID, *, now: datetime) -> bool:
    """Demand signatures for a person's accounts; return whether that is new."""
    if not any(w.proved_at for w in lock_all(session, user_id)):
        raise NoProvedWallet
    return signatures.demand(session, user_id, now=now)
