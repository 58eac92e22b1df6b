"""Telling: a deed is recorded, and those are told who listen for such deeds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from domain import audit_events
from domain.audit_events import Action
from domain.webhooks import outbox


def tell(  # noqa: PLR0913  what is known of a deed
    session: Session,
    *,
    action: Action,
    application: str | None,
    actor: UUID | None,
    subject: str,
    details: Mapping[str, Any],
    request_id: str | None,
    now: datetime,
) -> None:
    """Note a deed and its event in the transaction that does it."""
    known: dict[str, Any] = {
        "application": application,
        "subject": subject,
        "details": details,
        "request_id": request_id,
        "now": now,
    }
    audit_events.record(session, action=action, actor=actor, **known)
    outbox.store_deed(session, action, **known)
