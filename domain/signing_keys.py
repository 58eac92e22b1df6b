"""Keys that sign what we hand out: made of a row and a secret outside the database.

A key of purpose P is HMAC(secret, salt + P): 32 bytes, which is what Ed25519 and HMAC
want. Every state is computed from the times the keys sign from.
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain import audit_events
from domain.audit_events import Action
from domain.db import Base
from domain.ids import uuid7

# Others may keep our public keys for half as long (api/tokens.py).
PUBLISHED_AHEAD: Final = timedelta(minutes=10)
ROTATED_EVERY: Final = timedelta(days=30)
# No token that is signed lives longer.
OUTLIVED_BY: Final = timedelta(hours=1)

_ONE_AT_A_TIME: Final = 0x6B65_7973
_PROOF: Final = "proof"


def derive(salt: bytes, purpose: str, *, secret: str) -> bytes:
    """Return the 32 secret bytes that this salt and this purpose have."""
    return hmac.digest(secret.encode(), salt + purpose.encode(), "sha256")


class SigningKey(Base):
    """One key; without the secret it was made with it is only noise."""

    __tablename__ = "signing_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    salt: Mapped[bytes]
    proof: Mapped[bytes]
    public_key: Mapped[bytes | None]
    signs_from: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))

    def derive(self, purpose: str, *, secret: str) -> bytes:
        """Return the 32 secret bytes for one purpose."""
        return derive(self.salt, purpose, secret=secret)


def standing(session: Session, *, secret: str, now: datetime) -> Sequence[SigningKey]:
    """Return the keys that sign, will sign or still verify, the newest last.

    The first use of a database, or of a new secret, makes one.
    """
    if keys := _unspent(_own(session, secret), now):
        return keys
    _wait_for_turn(session)
    keys = _unspent(_own(session, secret), now)
    return keys or [rotate(session, secret=secret, now=now)]


def signing(keys: Sequence[SigningKey], *, now: datetime) -> SigningKey:
    """Return the key to sign with; a newer one may have to be known first."""
    begun = [key for key in keys if key.signs_from <= now]
    return begun[-1] if begun else keys[0]


def publish(session: Session, public_keys: Mapping[UUID, bytes]) -> None:
    """Store the public halves of the keys that stand, and of no others.

    With them, who may read nothing secret verifies what was signed.
    """
    for key in session.scalars(sa.select(SigningKey)).all():
        if key.public_key != public_keys.get(key.id):
            session.execute(
                sa.update(SigningKey)
                .where(SigningKey.id == key.id)
                .values(public_key=public_keys.get(key.id))
            )


def rotate(
    session: Session, *, secret: str, now: datetime, at_once: bool = False
) -> SigningKey:
    """Make the next key, and delete those whose tokens have all expired.

    `at_once`: all others are deleted, and what they signed is refused from now on.
    """
    _wait_for_turn(session)
    others = _own(session, secret)
    kept = [] if at_once else _unspent(others, now)
    ahead = PUBLISHED_AHEAD if kept else timedelta(0)
    key = SigningKey(id=uuid7(), salt=secrets.token_bytes(32), signs_from=now + ahead)
    key.proof = key.derive(_PROOF, secret=secret)
    session.add(key)
    for other in others:
        if other not in kept:
            session.delete(other)
    audit_events.record(
        session,
        action=Action.SIGNING_KEY_CREATED,
        actor=None,
        subject=f"signing_key:{key.id.hex}",
        details={"signs_from": key.signs_from.isoformat(), "at_once": at_once},
        request_id=None,
        now=now,
    )
    session.flush()
    return key


def rotate_if_due(session: Session, *, secret: str, now: datetime) -> bool:
    """Make the next key when the newest has signed for long; say whether it has."""
    _wait_for_turn(session)
    keys = _own(session, secret)
    if keys and now - keys[-1].signs_from < ROTATED_EVERY:
        return False
    rotate(session, secret=secret, now=now)
    return True


def _own(session: Session, secret: str) -> list[SigningKey]:
    """Return the keys made with this secret; others would sign what nobody accepts."""
    by_age = sa.select(SigningKey).order_by(SigningKey.signs_from, SigningKey.id)
    return [
        key
        for key in session.scalars(by_age)
        if hmac.compare_digest(key.proof, key.derive(_PROOF, secret=secret))
    ]


def _unspent(keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
    spent = {
        key.id
        for key, succeeding in pairwise(keys)
        if succeeding.signs_from + OUTLIVED_BY <= now
    }
    return [key for key in keys if key.id not in spent]


def _wait_for_turn(session: Session) -> None:
    # Processes that start together would each make a key.
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
