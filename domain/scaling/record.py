"""What a controller decided and did, and what operators ordered it to do."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base
from domain.decisions import describe_decision

# Why the size is what it is: the policy's choice, carried out or not; an operator's
# number; an operator's hold; or nothing that this controller may change.
MODES: Final = ("active", "dry_run", "ordered", "held", "observing")

_TIME = sa.DateTime(timezone=True)


class ControllerAction(Base):
    """One cycle of one group; later, several quiet ones in a row."""

    __tablename__ = "controller_actions"
    __table_args__ = (
        sa.Index("controller_actions_group", "worker_group", "at"),
        sa.Index("controller_actions_until", "until"),
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger, sa.Identity(always=True), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(_TIME)
    until: Mapped[datetime] = mapped_column(_TIME)
    cycles: Mapped[int] = mapped_column(server_default="1")
    worker_group: Mapped[str] = mapped_column(sa.Text)
    mode: Mapped[str] = mapped_column(sa.Text)
    policy: Mapped[str] = mapped_column(sa.Text)
    target: Mapped[str] = mapped_column(sa.Text)
    current: Mapped[int | None] = mapped_column(sa.SmallInteger)
    desired: Mapped[int | None] = mapped_column(sa.SmallInteger)
    ordered: Mapped[int | None] = mapped_column(sa.SmallInteger)
    need: Mapped[float | None] = mapped_column(sa.Double)
    needs: Mapped[Any] = mapped_column(postgresql.JSONB)
    clamps: Mapped[Any] = mapped_column(postgresql.JSONB)
    reason: Mapped[str] = mapped_column(sa.Text)
    inputs: Mapped[Any] = mapped_column(postgresql.JSONB)
    result: Mapped[str] = mapped_column(sa.Text)
    ms: Mapped[float] = mapped_column(sa.Double)
    controller: Mapped[str] = mapped_column(sa.Text)
    order_id: Mapped[int | None] = mapped_column(sa.ForeignKey("controller_orders.id"))

    @property
    def sentence(self) -> str:
        """Return the decision and what came of it in one line."""
        return describe_decision(
            self.worker_group,
            current=self.current,
            desired=self.desired,
            reason=self.reason,
            clamps=self.clamps,
            result=self.result,
        )


class ControllerOrder(Base):
    """What an operator wants of a group, until it is withdrawn or over."""

    __tablename__ = "controller_orders"
    __table_args__ = (sa.Index("controller_orders_group", "worker_group", "id"),)

    id: Mapped[int] = mapped_column(
        sa.BigInteger, sa.Identity(always=True), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(_TIME)
    worker_group: Mapped[str] = mapped_column(sa.Text)
    size: Mapped[int | None] = mapped_column(sa.SmallInteger)
    until: Mapped[datetime | None] = mapped_column(_TIME)
    given_by: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str] = mapped_column(sa.Text)
    withdrawn_at: Mapped[datetime | None] = mapped_column(_TIME)
