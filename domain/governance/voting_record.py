"""The rows of votes: who may, who has, what was cast, and what came of it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base

_TIME: Final = sa.DateTime(timezone=True)


class Elector(Base):
    """Who may vote on a proposal, what their vote weighs, and who votes for them."""

    __tablename__ = "electors"
    __table_args__ = (
        sa.Index(
            "electors_delegate",
            "proposal_id",
            "delegate_id",
            postgresql_where=sa.text("delegate_id IS NOT NULL"),
        ),
    )

    proposal_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("proposals.id"), primary_key=True
    )
    voter_id: Mapped[UUID] = mapped_column(primary_key=True)
    weight: Mapped[int] = mapped_column(sa.BigInteger)
    delegate_id: Mapped[UUID | None]


class Participation(Base):
    """Who has voted; neither when nor what."""

    __tablename__ = "participations"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["proposal_id", "voter_id"],
            ["electors.proposal_id", "electors.voter_id"],
        ),
    )

    proposal_id: Mapped[UUID] = mapped_column(primary_key=True)
    voter_id: Mapped[UUID] = mapped_column(primary_key=True)


class OpenBallot(Base):
    """What a person cast in an open vote; their latest counts."""

    __tablename__ = "ballots"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["proposal_id", "voter_id"],
            ["participations.proposal_id", "participations.voter_id"],
        ),
    )

    proposal_id: Mapped[UUID] = mapped_column(primary_key=True)
    voter_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ballot: Mapped[Any] = mapped_column(postgresql.JSONB)
    rationale: Mapped[str | None] = mapped_column(sa.Text)
    cast_at: Mapped[datetime] = mapped_column(_TIME)
    job_id: Mapped[UUID]


class SecretBallot(Base):
    """What somebody cast in a secret vote, under a key drawn at random."""

    __tablename__ = "secret_ballots"

    proposal_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("proposals.id"), primary_key=True
    )
    key: Mapped[UUID] = mapped_column(primary_key=True)
    ballot: Mapped[Any] = mapped_column(postgresql.JSONB)


class BallotReceipt(Base):
    """What some voter was given; it leads to no ballot."""

    __tablename__ = "ballot_receipts"

    proposal_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("proposals.id"), primary_key=True
    )
    receipt: Mapped[str] = mapped_column(sa.Text, primary_key=True)


class Delegation(Base):
    """One person's vote in another's hands, for a type of proposals or for all."""

    __tablename__ = "delegations"
    __table_args__ = (
        sa.Index(
            "delegations_standing",
            "delegator",
            sa.text("coalesce(topic, '')"),
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
        sa.Index("delegations_delegate", "delegate", "id"),
        sa.Index("delegations_delegator", "delegator", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    delegator: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    delegate: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    topic: Mapped[str | None] = mapped_column(sa.Text)
    since: Mapped[datetime] = mapped_column(_TIME)
    until: Mapped[datetime | None] = mapped_column(_TIME)
    ended_at: Mapped[datetime | None] = mapped_column(_TIME)


class ConflictOfInterest(Base):
    """Who said to have an interest of their own in a proposal, and may but abstain."""

    __tablename__ = "conflicts_of_interest"

    proposal_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("proposals.id"), primary_key=True
    )
    voter_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(_TIME)


class VoteSpending(Base):
    """Credits that a change of votes cost; below zero where some came back."""

    __tablename__ = "vote_spendings"
    __table_args__ = (
        sa.Index("vote_spendings_season", "voter_id", "season"),
        sa.Index("vote_spendings_proposal", "proposal_id", "voter_id"),
    )

    transfer_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("transfers.id"), primary_key=True
    )
    proposal_id: Mapped[UUID] = mapped_column(sa.ForeignKey("proposals.id"))
    voter_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    season: Mapped[str] = mapped_column(sa.Text)
    credits: Mapped[int] = mapped_column(sa.BigInteger)


class TallyPart(Base):
    """A run of ballots that is counted, identical ones together."""

    __tablename__ = "tally_parts"

    proposal_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("proposals.id"), primary_key=True
    )
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[UUID]
    ballots: Mapped[int] = mapped_column(sa.BigInteger)
    groups: Mapped[Any] = mapped_column(postgresql.JSONB)


class Tally(Base):
    """One count of a proposal's ballots: the binding one, or one for advice."""

    __tablename__ = "tallies"
    __table_args__ = (
        sa.Index(
            "tallies_binding",
            "proposal_id",
            unique=True,
            postgresql_where=sa.text("NOT advisory"),
        ),
        sa.Index("tallies_proposal", "proposal_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    proposal_id: Mapped[UUID] = mapped_column(sa.ForeignKey("proposals.id"))
    method: Mapped[str] = mapped_column(sa.Text)
    advisory: Mapped[bool]
    ballots_sha256: Mapped[str] = mapped_column(sa.Text)
    groups: Mapped[Any] = mapped_column(postgresql.JSONB)
    result: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(_TIME)
