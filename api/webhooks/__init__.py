"""Webhooks on the wire: an application's endpoints, and what they were sent."""

from collections.abc import Callable
from typing import Any

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api.webhooks.deliveries import Deliveries, DeliveryItem, Pings, Replay, Replays
from api.webhooks.endpoints import EndpointItem, Endpoints, Secrets
from domain.settings import Settings


def add_routes(
    app: falcon.App[Any, Any],
    settings: Settings,
    sessions: sessionmaker[Session],
    ring: Callable[[], None],
) -> None:
    """Serve webhooks to those who manage them; `ring` says that one is to be sent."""
    secret, loopback = settings.token_secret, settings.webhook_loopback == "on"
    one = "/api/webhooks/{webhook_id:uuid}"
    delivery = f"{one}/deliveries/{{delivery_id:uuid}}"
    endpoints = Endpoints(sessions, secret=secret, loopback=loopback)
    app.add_route("/api/webhooks", endpoints)
    app.add_route(one, EndpointItem(sessions, loopback=loopback))
    app.add_route(f"{one}/secret", Secrets(sessions, secret=secret))
    app.add_route(f"{one}/ping", Pings(sessions, ring))
    app.add_route(f"{one}/replay", Replays(sessions, ring))
    app.add_route(f"{one}/deliveries", Deliveries(sessions))
    app.add_route(delivery, DeliveryItem(sessions))
    app.add_route(f"{delivery}/replay", Replay(sessions, ring))
