"""The rows of webhooks, and what can be wrong with one."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base
from domain.errors import Conflict, NotFound, Refused

_TIME: Final = sa.DateTime(timezone=True)

# Why an endpoint is disabled.
ASKED: Final = "asked"
GONE: Final = "gone"
FAILING: Final = "failing"
BEHIND: Final = "behind"
REMOVED: Final = "removed"


class NoSuchWebhook(NotFound):
    """There is no such webhook, or it is another application's."""

    code = "no_such_webhook"


class NoSuchDelivery(NotFound):
    """This webhook has no such delivery, or it is too old to be kept."""

    code = "no_such_delivery"


class TooManyWebhooks(Refused):
    """The application has as many webhooks as any may; remove one first."""

    code = "too_many_webhooks"


class WebhookDisabled(Conflict):
    """The webhook is disabled: enable it first."""

    code = "webhook_disabled"


class DeliveryUnderWay(Conflict):
    """The delivery is being sent this moment; look again when it has ended."""

    code = "delivery_under_way"


class Endpoint(Base):
    """Where an application is told of events; without a time disabled, it is told."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (sa.Index("webhook_endpoints_application", "application", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    application: Mapped[str] = mapped_column(sa.Text)
    url: Mapped[str] = mapped_column(sa.Text)
    description: Mapped[str] = mapped_column(sa.Text)
    events: Mapped[list[str]] = mapped_column(postgresql.ARRAY(sa.Text))
    salt: Mapped[bytes]
    previous_salt: Mapped[bytes | None]
    previous_until: Mapped[datetime | None] = mapped_column(_TIME)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    failing_since: Mapped[datetime | None] = mapped_column(_TIME)
    disabled_at: Mapped[datetime | None] = mapped_column(_TIME)
    disabled_because: Mapped[str | None] = mapped_column(sa.Text)
    removed_at: Mapped[datetime | None] = mapped_column(_TIME)

    def describe(self) -> dict[str, Any]:
        """Return the endpoint as JSON shows it, which is without its secret."""
        return {
            "id": str(self.id),
            "application": self.application,
            "url": self.url,
            "description": self.description,
            "events": self.events,
            "enabled": self.disabled_at is None,
            "disabled_at": self.disabled_at and self.disabled_at.isoformat(),
            "disabled_because": self.disabled_because,
            "failing_since": self.failing_since and self.failing_since.isoformat(),
            "old_secret_until": self.previous_until and self.previous_until.isoformat(),
            "created_at": self.created_at.isoformat(),
        }


class Delivery(Base):
    """One event for one endpoint, and what has become of it."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        sa.Index("webhook_deliveries_endpoint", "endpoint_id", "position"),
        sa.Index(
            "webhook_deliveries_due",
            "endpoint_id",
            "due_at",
            postgresql_where=sa.text("due_at IS NOT NULL"),
        ),
        sa.Index(
            "webhook_deliveries_undelivered",
            "endpoint_id",
            "state",
            postgresql_where=sa.text("state <> 'delivered'"),
        ),
        sa.Index("webhook_deliveries_at", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True))
    endpoint_id: Mapped[UUID] = mapped_column(sa.ForeignKey("webhook_endpoints.id"))
    type: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(_TIME)
    data: Mapped[Any] = mapped_column(postgresql.JSON)
    request_id: Mapped[str | None] = mapped_column(sa.Text)
    trace: Mapped[str | None] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.Text, server_default="waiting")
    attempts: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")
    tries: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")
    due_at: Mapped[datetime | None] = mapped_column(_TIME)

    def describe(self) -> dict[str, Any]:
        """Return the delivery as JSON shows it."""
        waiting = self.due_at if self.state == "waiting" else None
        return {
            "id": str(self.id),
            "webhook_id": str(self.endpoint_id),
            "type": self.type,
            "at": self.at.isoformat(),
            "data": self.data,
            "state": self.state,
            "attempts": self.attempts,
            "next_attempt_at": waiting and waiting.isoformat(),
            "request_id": self.request_id,
        }


class AttemptRow(Base):
    """One attempt to deliver: what was answered, or why nobody did."""

    __tablename__ = "webhook_attempts"

    delivery_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(
        sa.SmallInteger, primary_key=True, autoincrement=False
    )
    at: Mapped[datetime] = mapped_column(_TIME)
    ms: Mapped[int]
    status: Mapped[int | None] = mapped_column(sa.SmallInteger)
    error: Mapped[str | None] = mapped_column(sa.Text)
    body: Mapped[str | None] = mapped_column(sa.Text)

    def describe(self) -> dict[str, Any]:
        """Return the attempt as JSON shows it."""
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "ms": self.ms,
            "status": self.status,
            "error": self.error,
            "body": self.body,
        }
