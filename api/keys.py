"""API keys on the wire: shown once when made, listed and revoked ever after."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import falcon
import orjson
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.bodies import Moment, example, printable
from api.errors import Problem, Unprocessable
from api.openapi.describing import describes, describes_item, describes_page
from api.permissions import application_of, principal_of, visible_application
from api.shapes.operating import ApiKey, NewApiKey
from domain import keys
from domain.principals import Principal

NAME_LENGTH_MAX: Final = 100
LIFETIME_MAX: Final = timedelta(days=3650)


def add_routes(app: falcon.App[Any, Any], sessions: sessionmaker[Session]) -> None:
    """Serve keys to those who manage them."""
    app.add_route("/auth/api-keys", Keys(sessions))
    app.add_route("/auth/api-keys/{key_id}", KeyItem(sessions))


class KeyBody(Schema):
    """POST /auth/api-keys."""

    name = fields.String(
        load_default="",
        validate=[validate.Length(max=NAME_LENGTH_MAX), printable],
        metadata=example("the shop's till"),
    )
    application = fields.String(validate=validate.Length(1, 100))
    scopes = fields.List(
        fields.String(validate=validate.OneOf(keys.SCOPES)),
        required=True,
        validate=validate.Length(1, len(keys.SCOPES)),
        metadata=example(["ledger:read"]),
    )
    expires_at = Moment(load_default=None, metadata=example("2031-11-20T21:50:00Z"))
    replaces = fields.String(load_default=None, validate=validate.Length(1, 100))


class Keys:
    """POST and GET /auth/api-keys."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = KeyBody()

    @describes(
        {201: NewApiKey},
        body=KeyBody,
        refuses=[
            *("wrong_application", "no_such_key", "unknown_scope"),
            "unknown_application",
        ],
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Create a key and show it, this once."""
        principal = principal_of(req)
        body = media.load(self._schema, media.read_json(req))
        now = datetime.now(UTC)
        body["application"] = application_of(principal, body.get("application"))
        _require_held(principal, body["scopes"])
        _require_lifetime(body["expires_at"], now)
        with self._sessions.begin() as session:
            key, text = keys.create(
                session,
                **body,
                now=now,
                actor=principal.id,
                request_id=req.context.request_id,
            )
        resp.status = falcon.HTTP_201
        resp.location = f"/auth/api-keys/{key.id}"
        resp.set_header("Cache-Control", "no-store")
        resp.content_type = media.JSON
        resp.data = orjson.dumps({**key.describe(), "key": text})

    @describes_page(
        "keys", ApiKey, query=["application"], refuses=["wrong_application"]
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List keys, newest first, none with its secret."""
        query.allow(req, "application", "limit", "cursor")
        named = req.get_param("application")
        with self._sessions() as session:
            found = keys.page(
                session,
                application=visible_application(principal_of(req), named),
                start=query.start(req, query.whole),
                limit=query.limit(req),
            )
        query.page(req, resp, "keys", found, lambda row: row.ApiKey.describe())


class KeyItem:
    """GET and DELETE /auth/api-keys/{id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_item(ApiKey, refuses=["no_such_key"])
    def on_get(self, req: falcon.Request, resp: falcon.Response, key_id: str) -> None:
        """Show one key without its secret."""
        with self._sessions() as session:
            application = visible_application(principal_of(req))
            key = keys.find(session, key_id, application=application)
        media.show(req, resp, key.describe())

    @describes_item(ApiKey, refuses=["no_such_key"])
    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, key_id: str
    ) -> None:
        """Revoke a key; within five seconds no process accepts it."""
        principal = principal_of(req)
        with self._sessions.begin() as session:
            application = visible_application(principal)
            key = keys.find(session, key_id, application=application)
            keys.revoke(
                session,
                key.id,
                now=datetime.now(UTC),
                actor=principal.id,
                request_id=req.context.request_id,
            )
        media.show(req, resp, key.describe())


def _require_held(principal: Principal, scopes: list[str]) -> None:
    """Answer 403 to a key that would grant what it may not do itself."""
    missing = sorted(set(scopes) - principal.scopes)
    if missing and principal.owner is None:
        raise Problem(
            403,
            "missing_scope",
            f"A key grants what it has itself; yours has not {', '.join(missing)}.",
            scope=missing[0],
        )


def _require_lifetime(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and not now < expires_at <= now + LIFETIME_MAX:
        detail = f"A time to come, at most {LIFETIME_MAX.days} days from now."
        raise Unprocessable([{"pointer": "/expires_at", "detail": detail}])
