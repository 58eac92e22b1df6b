"""The rows of bounties and of those who claim them."""

from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base

_TIME: Final = sa.DateTime(timezone=True)


class Bounty(Base):
    """Credits promised, and held, for something to be done."""

    __tablename__ = "bounties"
    __table_args__ = (
        sa.Index("bounties_creator", "creator", "id"),
        sa.Index("bounties_proposal", "proposal_id", "id"),
        sa.Index(
            "bounties_open",
            "expires_at",
            postgresql_where=sa.text("closed_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    creator: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    proposal_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("proposals.id"))
    title: Mapped[str] = mapped_column(sa.Text)
    description: Mapped[str] = mapped_column(sa.Text)
    reward: Mapped[int] = mapped_column(sa.BigInteger)
    participants_max: Mapped[int] = mapped_column(sa.SmallInteger)
    expires_at: Mapped[datetime] = mapped_column(_TIME)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    held_by: Mapped[UUID] = mapped_column(sa.ForeignKey("transfers.id"))
    closed_at: Mapped[datetime | None] = mapped_column(_TIME)
    refunded_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("transfers.id"))


class BountyClaim(Base):
    """Somebody who says to have done it, and what became of that."""

    __tablename__ = "bounty_claims"

    bounty_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("bounties.id"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"), primary_key=True)
    proof: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(_TIME)
    rejected_at: Mapped[datetime | None] = mapped_column(_TIME)
    paid_at: Mapped[datetime | None] = mapped_column(_TIME)
    paid_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("transfers.id"))
