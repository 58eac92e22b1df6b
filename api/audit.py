"""Audit events on the wire: read by those who check, written by nobody from outside."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import query
from api.openapi.describing import describes_page
from api.permissions import principal_of
from api.shapes.operating import AuditEvent
from domain import audit_events
from domain.audit_events import Action
from domain.principals import PEOPLES_APPLICATION
from domain.telling import tell


def add_routes(app: falcon.App[Any, Any], sessions: sessionmaker[Session]) -> None:
    """Serve the list of audit events."""
    app.add_route("/api/audit/events", AuditEvents(sessions))


def note(
    req: falcon.Request, session: Session, action: Action, subject: str, **details: Any
) -> None:
    """Record what the caller does, in the transaction that does it."""
    principal = principal_of(req)
    tell(
        session,
        action=action,
        application=principal.application,
        actor=principal.id,
        subject=subject,
        details=details,
        request_id=req.context.request_id,
        now=datetime.now(UTC),
    )


def note_of_person(
    req: falcon.Request,
    session: Session,
    action: Action,
    user_id: UUID,
    *,
    actor: UUID | None,
    **details: Any,
) -> None:
    """Record what is done to an account by who showed no credential of ours yet."""
    audit_events.record(
        session,
        action=action,
        application=PEOPLES_APPLICATION,
        actor=actor,
        subject=f"user:{user_id}",
        details=details,
        request_id=req.context.request_id,
        now=datetime.now(UTC),
    )


class AuditEvents:
    """GET /api/audit/events."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_page(
        "events",
        AuditEvent,
        query=["action", "actor", "subject", "since", "until"],
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List events, newest first: a key its application's, people in a role all."""
        filters = ("action", "actor", "subject", "since", "until")
        query.allow(req, *filters, "limit", "cursor")
        principal = principal_of(req)
        with self._sessions() as session:
            found = audit_events.page(
                session,
                application=principal.application if principal.owner is None else None,
                action=req.get_param("action"),
                actor=_actor(req),
                subject=req.get_param("subject"),
                since=query.instant(req, "since"),
                until=query.instant(req, "until"),
                start=query.start(req, query.whole),
                limit=query.limit(req),
            )
        query.page(req, resp, "events", found, lambda row: row.AuditEvent.describe())


def _actor(req: falcon.Request) -> UUID | None:
    text = req.get_param("actor")
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise query.refuse("actor", "The id of a principal, a UUID.") from None
