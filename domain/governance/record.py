"""The rows of proposals and of what happened to them, and what can be wrong."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base
from domain.errors import Conflict, Invalid, NotFound
from domain.governance.lifecycle import FINAL, State

_TIME: Final = sa.DateTime(timezone=True)


# After these nothing comes by the clock alone, or by a job.
_AT_REST: Final = sorted(map(str, {*FINAL, State.PASSED}))
# That it may be otherwise, by what was told: as the index has it, so that it is used.
IS_LIVE: Final = sa.text(f"announced NOT IN ({str(_AT_REST)[1:-1]})")


class NoSuchProposal(NotFound):
    """There is no such proposal."""

    code = "no_such_proposal"


class NoSuchProposalType(NotFound):
    """There is no such type of proposal."""

    code = "no_such_proposal_type"


class WrongState(Conflict):
    """The proposal is not in a state that allows this."""

    code = "wrong_state"


class BadProposal(Invalid):
    """Its type cannot have a proposal like this."""

    code = "bad_proposal"


class AmendmentChanged(Conflict):
    """The amendment has another version than the one that was to be adopted."""

    code = "amendment_changed"


class ProposalType(Base):
    """One version of the rules by which proposals of a kind are decided."""

    __tablename__ = "proposal_types"

    name: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    parameters: Mapped[Any] = mapped_column(postgresql.JSONB)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    changed_by: Mapped[UUID | None]


class Proposal(Base):
    """Something to decide; its text, events and votes are rows of their own."""

    __tablename__ = "proposals"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["type", "type_version"], ["proposal_types.name", "proposal_types.version"]
        ),
        sa.Index("proposals_announced", "announced", "id"),
        sa.Index("proposals_live", "id", postgresql_where=IS_LIVE),
        sa.Index("proposals_author", "author", "id"),
        sa.Index("proposals_council", "council_id", "id"),
        sa.Index("proposals_amends", "amends", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(sa.Text)
    type_version: Mapped[int]
    author: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    council_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("councils.id"))
    amends: Mapped[UUID | None] = mapped_column(sa.ForeignKey("proposals.id"))
    created_at: Mapped[datetime] = mapped_column(_TIME)
    announced: Mapped[str] = mapped_column(sa.Text, server_default="draft")
    turnout: Mapped[int] = mapped_column(server_default="0")


class ProposalText(Base):
    """What a proposal said from one edit to the next."""

    __tablename__ = "proposal_texts"
    __table_args__ = (
        sa.Index("proposal_texts_tags", "tags", postgresql_using="gin"),
        sa.Index("proposal_texts_words", "words", postgresql_using="gin"),
    )

    proposal_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("proposals.id"), primary_key=True
    )
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(sa.Text)
    description: Mapped[str] = mapped_column(sa.Text)
    options: Mapped[list[str]] = mapped_column(postgresql.ARRAY(sa.Text))
    tags: Mapped[list[str]] = mapped_column(postgresql.ARRAY(sa.Text))
    details: Mapped[Any] = mapped_column(postgresql.JSONB)
    # What this version changed, line by line.
    diff: Mapped[str] = mapped_column(sa.Text, deferred=True)
    # Of title and description, to look for texts like this one.
    words: Mapped[Any] = mapped_column(postgresql.TSVECTOR, deferred=True)
    author: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(_TIME)


class ProposalEvent(Base):
    """Something that happened to a proposal; each kind of thing happens once."""

    __tablename__ = "proposal_events"
    __table_args__ = (
        sa.Index(
            "proposal_events_cancelled",
            "proposal_id",
            postgresql_where=sa.text("kind = 'cancelled'"),
        ),
    )

    proposal_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("proposals.id"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    at: Mapped[datetime] = mapped_column(_TIME)
    actor: Mapped[UUID | None]
    details: Mapped[Any] = mapped_column(postgresql.JSONB)


class ProposalSeed(Base):
    """What the lots of a proposal are drawn with, told only after the close."""

    __tablename__ = "proposal_seeds"

    proposal_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("proposals.id"), primary_key=True
    )
    seed: Mapped[bytes] = mapped_column(sa.LargeBinary)


class Freeze(Base):
    """What is decided, by whom and how: fixed when voting opens, and hashed."""

    __tablename__ = "proposal_freezes"

    proposal_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("proposals.id"), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(_TIME)
    people: Mapped[int] = mapped_column(sa.BigInteger)
    weight: Mapped[int] = mapped_column(sa.BigInteger)
    definition: Mapped[str] = mapped_column(sa.Text)
    sha256: Mapped[str] = mapped_column(sa.Text)
