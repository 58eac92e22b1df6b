"""Where a person is logged in, and the end of it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import query
from api.audit import note
from api.permissions import login_of, principal_of
from domain import logins
from domain.audit_events import Action
from domain.logins import Login


class Logins:
    """GET and DELETE /auth/sessions."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List the caller's sessions, newest first."""
        query.allow(req, "limit", "cursor")
        with self._sessions() as session:
            found = logins.page(
                session,
                principal_of(req).id,
                start=query.start(req, query.uuid),
                limit=query.limit(req),
                now=datetime.now(UTC),
            )
        current = login_of(req)
        query.page(
            req, resp, "sessions", found, lambda row: _describe(row.Login, current)
        )

    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """End every session but the caller's own."""
        owner, now = principal_of(req).id, datetime.now(UTC)
        with self._sessions.begin() as session:
            ended = logins.end_all(session, owner, but=login_of(req), now=now)
            if ended:
                note(req, session, Action.LOGIN_ENDED, f"user:{owner}", others=ended)
        resp.status = falcon.HTTP_204


class LoginItem:
    """DELETE /auth/sessions/{id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, login_id: UUID
    ) -> None:
        """End one session of the caller."""
        owner, now = principal_of(req).id, datetime.now(UTC)
        with self._sessions.begin() as session:
            logins.end(session, login_id, user_id=owner, now=now)
            subject = f"user:{owner}"
            note(req, session, Action.LOGIN_ENDED, subject, login=str(login_id))
        resp.status = falcon.HTTP_204


def _describe(login: Login, current: UUID) -> dict[str, Any]:
    return {
        "id": str(login.id),
        "current": login.id == current,
        "device": login.device,
        "started_at": login.started_at.isoformat(),
        "refreshed_at": login.refreshed_at.isoformat(),
        "expires_at": login.expires_at.isoformat(),
    }
