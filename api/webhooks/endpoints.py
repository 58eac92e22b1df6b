"""An application's endpoints: added, changed, removed; each secret is shown once."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import falcon
import orjson
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.audit import note
from api.openapi.describing import describes, describes_item, describes_page
from api.permissions import application_of, principal_of, visible_application
from api.shapes.webhooks import NewWebhook, Webhook
from api.webhooks.bodies import WebhookBody, WebhookChange
from domain import webhooks
from domain.audit_events import Action
from domain.webhooks import Endpoint


def find(
    req: falcon.Request, session: Session, webhook_id: UUID, *, lock: bool = False
) -> Endpoint:
    """Return an endpoint the caller may see, or raise NoSuchWebhook."""
    application = visible_application(principal_of(req))
    return webhooks.find(session, webhook_id, application=application, lock=lock)


class Endpoints:
    """POST and GET /api/webhooks."""

    def __init__(
        self, sessions: sessionmaker[Session], *, secret: str, loopback: bool
    ) -> None:
        self._sessions = sessions
        self._secret = secret
        self._loopback = loopback
        self._schema = WebhookBody()

    @describes(
        {201: NewWebhook},
        body=WebhookBody,
        refuses=[
            *("wrong_application", "unknown_application"),
            *("webhook_url_refused", "too_many_webhooks"),
        ],
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add an endpoint and show its secret, this once."""
        body = media.load(self._schema, media.read_json(req))
        application = application_of(principal_of(req), body.pop("application", None))
        webhooks.read_target(body["url"], loopback=self._loopback)
        with self._sessions.begin() as session:
            endpoint = webhooks.create(
                session, application=application, **body, now=datetime.now(UTC)
            )
            about = {"application": application, "events": endpoint.events}
            note(
                req, session, Action.WEBHOOK_CREATED, f"webhook:{endpoint.id}", **about
            )
        resp.status = falcon.HTTP_201
        resp.location = f"/api/webhooks/{endpoint.id}"
        show_secret(resp, endpoint, secret=self._secret)

    @describes_page(
        "webhooks", Webhook, query=["application"], refuses=["wrong_application"]
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List endpoints, newest first, none with its secret."""
        query.allow(req, "application", "limit", "cursor")
        named = req.get_param("application")
        with self._sessions() as session:
            found = webhooks.page(
                session,
                application=visible_application(principal_of(req), named),
                start=query.start(req, query.uuid),
                limit=query.limit(req),
            )
        query.page(req, resp, "webhooks", found, lambda row: row.Endpoint.describe())


class EndpointItem:
    """GET, PATCH and DELETE /api/webhooks/{id}."""

    def __init__(self, sessions: sessionmaker[Session], *, loopback: bool) -> None:
        self._sessions = sessions
        self._loopback = loopback
        self._schema = WebhookChange()

    @describes_item(Webhook, refuses=["no_such_webhook"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, webhook_id: UUID
    ) -> None:
        """Show one endpoint without its secret."""
        with self._sessions() as session:
            endpoint = find(req, session, webhook_id)
        media.show(req, resp, endpoint.describe())

    @describes_item(
        Webhook,
        body=WebhookChange,
        edits=True,
        refuses=["no_such_webhook", "webhook_url_refused"],
    )
    def on_patch(
        self, req: falcon.Request, resp: falcon.Response, webhook_id: UUID
    ) -> None:
        """Change where an endpoint is or what it listens to; enable or disable it."""
        body = media.load(self._schema, media.read_json(req))
        if "url" in body:
            webhooks.read_target(body["url"], loopback=self._loopback)
        with self._sessions.begin() as session:
            endpoint = find(req, session, webhook_id, lock=True)
            media.require_match(req, endpoint.describe())
            _change(endpoint, body)
            subject, names = f"webhook:{endpoint.id}", sorted(body)
            note(req, session, Action.WEBHOOK_CHANGED, subject, fields=names)
        media.show(req, resp, endpoint.describe())

    @describes({204: None}, refuses=["no_such_webhook"])
    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, webhook_id: UUID
    ) -> None:
        """Remove an endpoint."""
        media.read_body(req)
        with self._sessions.begin() as session:
            endpoint = find(req, session, webhook_id, lock=True)
            webhooks.remove(endpoint, now=datetime.now(UTC))
            note(req, session, Action.WEBHOOK_REMOVED, f"webhook:{endpoint.id}")
        resp.status = falcon.HTTP_204


class Secrets:
    """POST /api/webhooks/{id}/secret."""

    def __init__(self, sessions: sessionmaker[Session], *, secret: str) -> None:
        self._sessions = sessions
        self._secret = secret

    @describes({201: NewWebhook}, refuses=["no_such_webhook"])
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, webhook_id: UUID
    ) -> None:
        """Make another secret and show it, this once; the old one signs for a while."""
        media.read_body(req)
        with self._sessions.begin() as session:
            endpoint = find(req, session, webhook_id, lock=True)
            webhooks.rotate(endpoint, now=datetime.now(UTC))
            note(req, session, Action.WEBHOOK_SECRET_ROTATED, f"webhook:{endpoint.id}")
        resp.status = falcon.HTTP_201
        show_secret(resp, endpoint, secret=self._secret)


def show_secret(resp: falcon.Response, endpoint: Endpoint, *, secret: str) -> None:
    """Answer an endpoint with its secret, which nobody keeps on the way."""
    shown = webhooks.secret_of(endpoint.salt, secret=secret)
    resp.set_header("Cache-Control", "no-store")
    resp.content_type = media.JSON
    resp.data = orjson.dumps({**endpoint.describe(), "secret": shown})


def _change(endpoint: Endpoint, body: dict[str, Any]) -> None:
    endpoint.url = body.get("url", endpoint.url)
    endpoint.description = body.get("description", endpoint.description)
    if "events" in body:
        endpoint.events = sorted(set(body["events"]))
    if "enabled" in body:
        webhooks.switch(endpoint, enabled=body["enabled"], now=datetime.now(UTC))
