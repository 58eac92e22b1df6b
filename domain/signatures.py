"""Signatures of people: whose account demands them, and which were used already."""

from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base
from domain.errors import Conflict

_FORGOTTEN_MAX: Final = 100


class SignatureUsed(Conflict):
    """This signature was used before; sign again, with the time of now."""

    code = "signature_used"


class SignatureDemand(Base):
    """Nothing is taken from this person's accounts without their signature."""

    __tablename__ = "signature_demands"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"), primary_key=True)
    since: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


class UsedSignature(Base):
    """A signature for as long as its time would let it in again, and who brought it."""

    __tablename__ = "used_signatures"
    __table_args__ = (sa.Index("used_signatures_kept_until", "kept_until"),)

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    principal: Mapped[UUID]
    kept_until: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


def demand_of(session: Session, user_id: UUID) -> SignatureDemand | None:
    """Return a person's demand, if they make it."""
    return session.get(SignatureDemand, user_id)


def demanding(session: Session) -> frozenset[str]:
    """Return the owners whose accounts demand signatures."""
    # As one text: a row each would take the driver ten times as long.
    together = sa.func.string_agg(sa.cast(SignatureDemand.user_id, sa.Text), " ")
    return frozenset((session.scalar(sa.select(together)) or "").split())


def demand(session: Session, user_id: UUID, *, now: datetime) -> bool:
    """Demand signatures from now on; return whether that is new."""
    statement = insert(SignatureDemand).values(user_id=user_id, since=now)
    stored = session.execute(
        statement.on_conflict_do_nothing().returning(SignatureDemand.user_id)
    )
    return stored.first() is not None


def lift(session: Session, user_id: UUID) -> bool:
    """Demand no signatures any more; return whether they were demanded."""
    stated = sa.delete(SignatureDemand).where(SignatureDemand.user_id == user_id)
    lifted = session.execute(stated.returning(SignatureDemand.user_id))
    return lifted.first() is not None


def use(  # noqa: PLR0913  what is known of a signature
    session: Session,
    digest: bytes,
    *,
    principal: UUID,
    again: bool,
    kept_until: datetime,
    now: datetime,
) -> None:
    """Note what was signed and who brought it, or raise SignatureUsed.

    With `again`, the same principal may bring it any number of times: what it signs
    has effect only once for each principal, and for no other.
    """
    _forget(session, now=now)
    statement = insert(UsedSignature).values(
        digest=digest, principal=principal, kept_until=kept_until
    )
    # The second of two at once waits here for the first.
    new = session.execute(
        statement.on_conflict_do_nothing().returning(UsedSignature.digest)
    ).first()
    if new is not None:
        return
    first = session.scalar(
        sa.select(UsedSignature.principal).where(UsedSignature.digest == digest)
    )
    if not again or first != principal:
        raise SignatureUsed


def _forget(session: Session, *, now: datetime) -> None:
    """Forget some that their time shuts out, and wait for nobody who does so too."""
    past = (
        sa.select(UsedSignature.digest)
        .where(UsedSignature.kept_until < now)
        .limit(_FORGOTTEN_MAX)
        .with_for_update(skip_locked=True)
    )
    session.execute(sa.delete(UsedSignature).where(UsedSignature.digest.in_(past)))
