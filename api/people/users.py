"""People as the API shows them: to themselves and to those who tend the accounts."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import query
from api.audit import note
from api.media import load, read_json, require_match, show
from api.people.bodies import UserBody
from api.permissions import login_of, principal_of
from domain import logins, people, roles, users
from domain.audit_events import Action
from domain.errors import DomainError
from domain.users import NoSuchUser, User

_user_body = UserBody()


def describe(user: User, held: Collection[str]) -> dict[str, Any]:
    """Return a person as JSON shows them; `held`: roles beside that of a member."""
    return {
        "id": str(user.id),
        "username": user.username,
        "email": user.email,
        "display_name": user.display_name,
        "bio": user.bio,
        "roles": ["member", *sorted(held)],
        "created_at": user.created_at.isoformat(),
    }


def _find(session: Session, user_id: UUID, *, now: datetime) -> dict[str, Any]:
    user = users.get(session, user_id)
    return describe(user, roles.effective(session, user_id, now=now))


class Me:
    """GET /auth/me."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the caller who they are and what they may do."""
        query.allow(req)
        principal = principal_of(req)
        with self._sessions() as session:
            found = _find(session, principal.id, now=datetime.now(UTC))
        scopes = sorted(principal.scopes)
        show(req, resp, {**found, "scopes": scopes, "session": str(login_of(req))})


class Users:
    """GET /api/users."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List people, newest first, or find one by name."""
        query.allow(req, "username", "limit", "cursor")
        with self._sessions() as session:
            found = users.page(
                session,
                username=req.get_param("username"),
                start=query.start(req, query.uuid),
                limit=query.limit(req),
            )
        query.page(req, resp, "users", found, lambda row: _summarize(row.User))


class UserItem:
    """GET, PATCH and DELETE /api/users/{id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_get(self, req: falcon.Request, resp: falcon.Response, user_id: UUID) -> None:
        """Show a person."""
        query.allow(req)
        _require_visible(req, user_id)
        with self._sessions() as session:
            show(req, resp, _find(session, user_id, now=datetime.now(UTC)))

    def on_patch(
        self, req: falcon.Request, resp: falcon.Response, user_id: UUID
    ) -> None:
        """Change the caller's e-mail address or profile."""
        fields = load(_user_body, read_json(req))
        _require_visible(req, user_id)
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            user = users.get(session, user_id, lock=True)
            require_match(req, _find(session, user_id, now=now))
            if fields.get("email", user.email) != user.email:
                # Whoever holds the address gets the account, by way of a new password.
                logins.require_recent(session, login_of(req), now=now)
            users.change(session, user, fields)
            subject, names = f"user:{user_id}", sorted(fields)
            note(req, session, Action.PERSON_CHANGED, subject, fields=names)
            changed = _find(session, user_id, now=now)
        show(req, resp, changed)

    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, user_id: UUID
    ) -> None:
        """End an account, for good."""
        _require_visible(req, user_id)
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            logins.require_recent(session, login_of(req), now=now)
            people.remove(session, user_id, now=now)
            note(req, session, Action.PERSON_REMOVED, f"user:{user_id}")
        resp.status = falcon.HTTP_204


class UsernameCheck:
    """GET /api/users/check-username/{name}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Say whether somebody may still register under this name, and why not."""
        query.allow(req)
        answer: dict[str, Any] = {"username": name, "available": True}
        try:
            users.require_username(name)
            with self._sessions() as session:
                if not users.available(session, name):
                    raise users.UsernameTaken
        except DomainError as reason:
            answer |= {"available": False, **reason.description()}
        show(req, resp, answer)


def _require_visible(req: falcon.Request, user_id: UUID) -> None:
    """Answer 404 to a person for anyone but themself, unless their role allows it."""
    if not req.context.anyones and principal_of(req).id != user_id:
        raise NoSuchUser


def _summarize(user: User) -> dict[str, Any]:
    return {
        "id": str(user.id),
        "username": user.username,
        "display_name": user.display_name,
        "created_at": user.created_at.isoformat(),
    }
