"""The rows of councils, their members, and how those come and go."""

from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base

_TIME: Final = sa.DateTime(timezone=True)


class Council(Base):
    """A group of seats that members are elected to."""

    __tablename__ = "councils"
    __table_args__ = (sa.Index("councils_name", sa.text("lower(name)"), unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    description: Mapped[str] = mapped_column(sa.Text)
    seats: Mapped[int] = mapped_column(sa.SmallInteger)
    term_days: Mapped[int]
    affiliation_cap: Mapped[int | None] = mapped_column(sa.SmallInteger)
    created_at: Mapped[datetime] = mapped_column(_TIME)


class CouncilMember(Base):
    """One person's seat in a council, from one day to another."""

    __tablename__ = "council_members"
    __table_args__ = (
        sa.Index(
            "council_members_seated",
            "council_id",
            "user_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
        sa.Index("council_members_user", "user_id", "id"),
        sa.Index("council_members_elected_by", "elected_by"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    council_id: Mapped[UUID] = mapped_column(sa.ForeignKey("councils.id"))
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    role: Mapped[str] = mapped_column(sa.Text)
    affiliation: Mapped[str | None] = mapped_column(sa.Text)
    since: Mapped[datetime] = mapped_column(_TIME)
    until: Mapped[datetime] = mapped_column(_TIME)
    ended_at: Mapped[datetime | None] = mapped_column(_TIME)
    ended_because: Mapped[str | None] = mapped_column(sa.Text)
    elected_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("proposals.id"))


class Nomination(Base):
    """Somebody who stands in an election, until they withdraw."""

    __tablename__ = "nominations"

    proposal_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("proposals.id"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"), primary_key=True)
    affiliation: Mapped[str | None] = mapped_column(sa.Text)
    statement: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(_TIME)
    withdrawn_at: Mapped[datetime | None] = mapped_column(_TIME)


class Recall(Base):
    """A call to take a seat, or all of them; a vote when another seconds it."""

    __tablename__ = "recalls"
    __table_args__ = (sa.Index("recalls_council", "council_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    council_id: Mapped[UUID] = mapped_column(sa.ForeignKey("councils.id"))
    member_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("council_members.id"))
    reason: Mapped[str] = mapped_column(sa.Text)
    called_by: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    called_at: Mapped[datetime] = mapped_column(_TIME)
    seconded_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    seconded_at: Mapped[datetime | None] = mapped_column(_TIME)
    proposal_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("proposals.id"))


class Absence(Base):
    """A member whom somebody misses, until they answer."""

    __tablename__ = "absences"
    __table_args__ = (
        sa.Index(
            "absences_open",
            "member_id",
            unique=True,
            postgresql_where=sa.text("answered_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(sa.ForeignKey("council_members.id"))
    reported_by: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(_TIME)
    answered_at: Mapped[datetime | None] = mapped_column(_TIME)
