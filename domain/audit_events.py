"""Audit events: what was done to keys, accounts and rights, by whom; only added to."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base
from domain.pages import Page, Position, newest_first


class Action(StrEnum):
    """Every deed that is recorded: what it was done to, and what was done.

    Told are ids and names of fields: no address, no password, no token, and nothing
    that somebody typed.
    """

    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    SIGNING_KEY_CREATED = "signing_key.created"

    PERSON_REGISTERED = "person.registered"
    PERSON_CHANGED = "person.changed"
    PERSON_REMOVED = "person.removed"
    IDENTITY_LINKED = "identity.linked"

    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    # A spent refresh token was shown, which ended the login.
    LOGIN_REUSED = "login.reused"
    LOGIN_ENDED = "login.ended"

    PASSWORD_CHANGED = "password.changed"  # noqa: S105  a name, no password
    PASSWORD_RESET_SENT = "password.reset_sent"  # noqa: S105
    PASSWORD_RESET = "password.reset"  # noqa: S105

    ROLE_GRANTED = "role.granted"
    ROLE_REVOKED = "role.revoked"

    WALLET_ADDED = "wallet.added"
    WALLET_CHANGED = "wallet.changed"
    WALLET_PROVED = "wallet.proved"
    WALLET_REMOVED = "wallet.removed"
    SIGNATURES_DEMANDED = "signatures.demanded"
    SIGNATURES_LIFTED = "signatures.lifted"

    BLOCK_ADDED = "block.added"
    BLOCK_LIFTED = "block.lifted"

    DELEGATION_CREATED = "delegation.created"
    DELEGATION_ENDED = "delegation.ended"
    CONFLICT_DECLARED = "conflict.declared"

    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_REMOVED = "webhook.removed"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105  a name
    WEBHOOK_PINGED = "webhook.pinged"
    WEBHOOK_REPLAYED = "webhook.replayed"
    WEBHOOK_DISABLED = "webhook.disabled"

    PROPOSAL_CREATED = "proposal.created"
    # Another version of its text, or an amendment adopted.
    PROPOSAL_CHANGED = "proposal.changed"
    PROPOSAL_STATE_CHANGED = "proposal.state_changed"
    PROPOSAL_VETOED = "proposal.vetoed"
    PROPOSAL_CONCLUDED = "proposal.concluded"
    # By a quorum reached late, or an outcome that is settled.
    PROPOSAL_CLOSE_MOVED = "proposal.close_moved"
    # The same ballots by another method, for advice.
    COUNT_MADE = "count.made"
    PROPOSAL_REFUNDED = "proposal.refunded"

    COUNCIL_CREATED = "council.created"
    ELECTION_CALLED = "election.called"
    NOMINATION_MADE = "nomination.made"
    NOMINATION_WITHDRAWN = "nomination.withdrawn"
    SEAT_TAKEN = "seat.taken"
    SEAT_CHANGED = "seat.changed"
    SEAT_ENDED = "seat.ended"
    ABSENCE_REPORTED = "absence.reported"
    ABSENCE_ANSWERED = "absence.answered"
    RECALL_CALLED = "recall.called"
    RECALL_SECONDED = "recall.seconded"

    BOUNTY_CREATED = "bounty.created"
    BOUNTY_CLAIMED = "bounty.claimed"
    BOUNTY_PAID = "bounty.paid"
    BOUNTY_CLAIM_REJECTED = "bounty.claim_rejected"
    BOUNTY_CLOSED = "bounty.closed"


class AuditEvent(Base):
    """One deed, in the transaction that did it.

    `action` is a dotted name such as `key.created`; `subject` is a kind and an id, such
    as `key:4fJ…`. Without an `application` it is of the whole installation.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        sa.Index("audit_events_at", "at"),
        sa.Index("audit_events_action", "action", "id"),
        sa.Index("audit_events_application", "application", "id"),
        sa.Index("audit_events_actor", "actor", "id"),
        sa.Index("audit_events_subject", "subject", "id"),
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger, sa.Identity(always=True), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    action: Mapped[str] = mapped_column(sa.Text)
    application: Mapped[str | None] = mapped_column(sa.Text)
    actor: Mapped[UUID | None]
    subject: Mapped[str] = mapped_column(sa.Text)
    details: Mapped[Any] = mapped_column(postgresql.JSONB)
    request_id: Mapped[str | None] = mapped_column(sa.Text)

    def describe(self) -> dict[str, Any]:
        """Return the event as JSON shows it."""
        return {
            "id": self.id,
            "at": self.at.isoformat(),
            "action": self.action,
            "application": self.application,
            "actor": self.actor and str(self.actor),
            "subject": self.subject,
            "details": self.details,
            "request_id": self.request_id,
        }


def record(  # noqa: PLR0913  what is known of a deed
    session: Session,
    *,
    action: Action,
    actor: UUID | None,
    subject: str,
    details: Mapping[str, Any],
    request_id: str | None,
    now: datetime,
    application: str | None = None,
) -> None:
    """Note a deed in the transaction that does it: both are stored, or neither."""
    session.add(
        AuditEvent(
            at=now,
            action=action,
            application=application,
            actor=actor,
            subject=subject,
            details=dict(details),
            request_id=request_id,
        )
    )


def page(  # noqa: PLR0913  the filters of the list
    session: Session,
    *,
    application: str | None = None,
    action: str | None = None,
    actor: UUID | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    start: Position | None = None,
    limit: int,
) -> Page[Any]:
    """Return events, newest first; `since` counts, `until` does not."""
    wanted = {
        AuditEvent.application: application,
        AuditEvent.action: action,
        AuditEvent.actor: actor,
        AuditEvent.subject: subject,
    }
    statement = sa.select(AuditEvent).where(
        *(column == value for column, value in wanted.items() if value is not None)
    )
    if since is not None:
        statement = statement.where(AuditEvent.at >= since)
    if until is not None:
        statement = statement.where(AuditEvent.at < until)
    return newest_first(
        session,
        statement,
        column=AuditEvent.id.expression,
        key=lambda row: row.AuditEvent.id,
        start=start,
        limit=limit,
    )
