"""Roles of people, as those who tend the accounts see and give them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import query
from api.media import load, read_json, show
from api.openapi.describing import describes, describes_page
from api.people.bodies import RoleBody
from api.permissions import principal_of
from api.shapes.people import RoleGrant as Shown
from domain import roles, users
from domain.roles import RoleGrant

_role_body = RoleBody()


class Roles:
    """GET and POST /api/users/{id}/roles."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_page("roles", Shown, refuses=["no_such_user"])
    def on_get(self, req: falcon.Request, resp: falcon.Response, user_id: UUID) -> None:
        """List what a person was granted, newest first."""
        query.allow(req, "limit", "cursor")
        with self._sessions() as session:
            users.get(session, user_id)
            found = roles.page(
                session,
                user_id,
                start=query.start(req, query.uuid),
                limit=query.limit(req),
            )
        query.page(req, resp, "roles", found, lambda row: _describe(row.RoleGrant))

    @describes(
        {201: Shown},
        body=RoleBody,
        tagged=True,
        refuses=["no_such_user", "unknown_role", "ends_too_early", "role_too_long"],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, user_id: UUID
    ) -> None:
        """Give a person a role, for good or until a time."""
        body = load(_role_body, read_json(req))
        with self._sessions.begin() as session:
            made = roles.grant(
                session,
                user_id,
                body["role"],
                by=principal_of(req).id,
                ends_at=body.get("ends_at"),
                now=datetime.now(UTC),
                request_id=req.context.request_id,
            )
        resp.status = falcon.HTTP_201
        resp.location = f"/api/users/{user_id}/roles"
        show(req, resp, _describe(made))


class RoleItem:
    """DELETE /api/users/{id}/roles/{role}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes({204: None}, refuses=["no_such_role", "no_such_user"])
    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, user_id: UUID, role: str
    ) -> None:
        """Take a role away."""
        with self._sessions.begin() as session:
            roles.revoke(
                session,
                user_id,
                role,
                by=principal_of(req).id,
                now=datetime.now(UTC),
                request_id=req.context.request_id,
            )
        resp.status = falcon.HTTP_204


def _describe(grant: RoleGrant) -> dict[str, Any]:
    return {
        "role": grant.role,
        "granted_by": str(grant.granted_by) if grant.granted_by else None,
        "granted_at": grant.granted_at.isoformat(),
        "ends_at": grant.ends_at.isoformat() if grant.ends_at else None,
        "revoked_at": grant.revoked_at.isoformat() if grant.revoked_at else None,
    }
