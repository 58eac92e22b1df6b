"""The blocklist: who may not call until when, why, and who said so.

A block ends by itself; lifted early it stays on record.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base
from domain.errors import Conflict, Invalid, NotFound
from domain.ids import uuid7
from domain.networks import Network
from domain.pages import Page, Position, newest_first

# Every process knows all of them; more are better said by a few wider networks.
BLOCKS_MAX: Final = 2_000
SECONDS_MAX: Final = 30 * 86_400

_TIME = sa.DateTime(timezone=True)


class NoSuchBlock(NotFound):
    """There is no such entry in the blocklist."""

    code = "no_such_block"


class BlocklistFull(Conflict):
    """The blocklist is full: lift some blocks, or block fewer, wider networks."""

    code = "blocklist_full"


class BlocksYourself(Conflict):
    """This would block you yourself; ask another operator."""

    code = "blocks_yourself"


class BlockTooLong(Invalid):
    """A block lasts from one second to 30 days."""

    code = "block_too_long"


class Block(Base):
    """One block, of a network or of a principal; without an actor it is automatic."""

    __tablename__ = "blocks"
    __table_args__ = (sa.Index("blocks_expires", "expires_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    network: Mapped[str | None] = mapped_column(postgresql.CIDR)
    principal: Mapped[UUID | None]
    reason: Mapped[str] = mapped_column(sa.Text)
    actor: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(_TIME)
    expires_at: Mapped[datetime] = mapped_column(_TIME)
    lifted_at: Mapped[datetime | None] = mapped_column(_TIME)
    lifted_by: Mapped[UUID | None]


def add(  # noqa: PLR0913  what is known of a block
    session: Session,
    *,
    whom: Network | UUID,
    reason: str,
    actor: UUID | None,
    seconds: int,
    now: datetime,
) -> Block:
    """Block a network or a principal for so long."""
    if not 0 < seconds <= SECONDS_MAX:
        raise BlockTooLong
    standing = sa.select(sa.func.count()).where(*_standing(now))
    if (session.scalar(standing) or 0) >= BLOCKS_MAX:
        raise BlocklistFull
    block = Block(
        id=uuid7(),
        network=None if isinstance(whom, UUID) else str(whom),
        principal=whom if isinstance(whom, UUID) else None,
        reason=reason,
        actor=actor,
        created_at=now,
        expires_at=now + timedelta(seconds=seconds),
    )
    session.add(block)
    session.flush()
    return block


def lift(session: Session, block_id: UUID, *, actor: UUID, now: datetime) -> bool:
    """End a block and say whether it stood; one that had ended stays as it is."""
    find(session, block_id)
    return _lift(session, Block.id == block_id, actor=actor, now=now) > 0


def lift_all(session: Session, *, actor: UUID, now: datetime) -> int:
    """End every block; return how many stood."""
    return _lift(session, sa.true(), actor=actor, now=now)


def find(session: Session, block_id: UUID) -> Block:
    """Return one block, whether it stands or not."""
    block = session.get(Block, block_id)
    if block is None:
        raise NoSuchBlock
    return block


def page(
    session: Session,
    *,
    standing: bool,
    start: Position | None,
    limit: int,
    now: datetime,
) -> Page[Any]:
    """Return a page of the blocks that stand, or of all there ever were."""
    statement = sa.select(*Block.__table__.columns)
    if standing:
        statement = statement.where(*_standing(now))
    return newest_first(
        session,
        statement,
        column=Block.__table__.c.id,
        key=lambda row: row.id,
        start=start,
        limit=limit,
    )


def unexpired(session: Session, *, now: datetime) -> Sequence[Any]:
    """Return every block whose time is not over, those lifted early among them."""
    columns = Block.__table__.c
    statement = (
        sa.select(
            columns.network,
            columns.principal,
            columns.actor,
            columns.expires_at,
            columns.lifted_at,
        )
        .where(columns.expires_at > now)
        .order_by(columns.lifted_at.is_not(None), columns.id.desc())
        .limit(2 * BLOCKS_MAX)
    )
    return session.execute(statement).all()


def _standing(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return Block.lifted_at.is_(None), Block.expires_at > now


def _lift(
    session: Session, which: sa.ColumnElement[bool], *, actor: UUID, now: datetime
) -> int:
    statement = (
        sa.update(Block)
        .where(which, *_standing(now))
        .values(lifted_at=now, lifted_by=actor)
        .returning(Block.id)
    )
    return len(session.scalars(statement).all())
