"""What an endpoint was sent: how it went, and to send it again."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.audit import note
from api.openapi.describing import describes, describes_item, describes_page
from api.openapi.parameters import one_of
from api.shapes.webhooks import Delivery, Logged, Replayed
from api.webhooks.bodies import ReplayBody
from api.webhooks.endpoints import find
from domain import webhooks
from domain.audit_events import Action


class Deliveries:
    """GET /api/webhooks/{id}/deliveries."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_page(
        "deliveries",
        Delivery,
        query=[one_of("state", "Only deliveries in this state.", *webhooks.STATES)],
        refuses=["no_such_webhook"],
    )
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, webhook_id: UUID
    ) -> None:
        """List what an endpoint was sent, newest first."""
        query.allow(req, "state", "limit", "cursor")
        state = query.one_of(req, "state", *webhooks.STATES)
        start, limit = query.start(req, query.whole), query.limit(req)
        with self._sessions() as session:
            endpoint = find(req, session, webhook_id)
            found = webhooks.page_deliveries(
                session, endpoint, state=state, start=start, limit=limit
            )
        query.page(req, resp, "deliveries", found, lambda row: row.Delivery.describe())


class DeliveryItem:
    """GET /api/webhooks/{id}/deliveries/{id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_item(Logged, refuses=["no_such_webhook", "no_such_delivery"])
    def on_get(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        webhook_id: UUID,
        delivery_id: UUID,
    ) -> None:
        """Show one delivery with each attempt."""
        with self._sessions() as session:
            endpoint = find(req, session, webhook_id)
            delivery = webhooks.find_delivery(session, endpoint, delivery_id)
            attempts = webhooks.attempts_of(session, delivery)
        log = [attempt.describe() for attempt in attempts]
        media.show(req, resp, {**delivery.describe(), "log": log})


class Replay:
    """POST /api/webhooks/{id}/deliveries/{id}/replay."""

    def __init__(
        self, sessions: sessionmaker[Session], ring: Callable[[], None]
    ) -> None:
        self._sessions = sessions
        self._ring = ring

    @describes(
        {202: Delivery},
        gives=["Location"],
        refuses=[
            *("no_such_webhook", "no_such_delivery"),
            *("webhook_disabled", "delivery_under_way"),
        ],
    )
    def on_post(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        webhook_id: UUID,
        delivery_id: UUID,
    ) -> None:
        """Send one delivery again."""
        media.read_body(req)
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            endpoint = find(req, session, webhook_id, lock=True)
            delivery = webhooks.replay(session, endpoint, delivery_id, now=now)
            about = {"delivery": str(delivery.id)}
            note(
                req, session, Action.WEBHOOK_REPLAYED, f"webhook:{endpoint.id}", **about
            )
        self._ring()
        resp.status = falcon.HTTP_202
        resp.location = _path(webhook_id, delivery_id)
        resp.media = delivery.describe()


class Replays:
    """POST /api/webhooks/{id}/replay."""

    def __init__(
        self, sessions: sessionmaker[Session], ring: Callable[[], None]
    ) -> None:
        self._sessions = sessions
        self._ring = ring
        self._schema = ReplayBody()

    @describes(
        {202: Replayed},
        body=ReplayBody,
        refuses=["no_such_webhook", "webhook_disabled"],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, webhook_id: UUID
    ) -> None:
        """Send again what failed since a time."""
        since = media.load(self._schema, media.read_json(req))["since"]
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            endpoint = find(req, session, webhook_id, lock=True)
            count = webhooks.replay_failed(session, endpoint, since=since, now=now)
            about = {"since": since.isoformat(), "deliveries": count}
            note(
                req, session, Action.WEBHOOK_REPLAYED, f"webhook:{endpoint.id}", **about
            )
        self._ring()
        resp.status = falcon.HTTP_202
        resp.media = {"replayed": count}


class Pings:
    """POST /api/webhooks/{id}/ping."""

    def __init__(
        self, sessions: sessionmaker[Session], ring: Callable[[], None]
    ) -> None:
        self._sessions = sessions
        self._ring = ring

    @describes(
        {202: Delivery},
        gives=["Location"],
        refuses=["no_such_webhook", "webhook_disabled"],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, webhook_id: UUID
    ) -> None:
        """Send an endpoint an event of no consequence."""
        media.read_body(req)
        with self._sessions.begin() as session:
            endpoint = find(req, session, webhook_id, lock=True)
            delivery = webhooks.ping(
                session,
                endpoint,
                request_id=req.context.request_id,
                trace=req.context.trace,
                now=datetime.now(UTC),
            )
            note(req, session, Action.WEBHOOK_PINGED, f"webhook:{endpoint.id}")
        self._ring()
        resp.status = falcon.HTTP_202
        resp.location = _path(webhook_id, delivery.id)
        resp.media = delivery.describe()


def _path(webhook_id: UUID, delivery_id: UUID) -> str:
    return f"/api/webhooks/{webhook_id}/deliveries/{delivery_id}"
