"""What was delivered and what was not: to look at, to send again, to forget."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.pages import Page, Position, newest_first
from domain.webhooks.record import (
    AttemptRow,
    Delivery,
    DeliveryUnderWay,
    Endpoint,
    NoSuchDelivery,
    WebhookDisabled,
)

STATES: Final = ("waiting", "sending", "delivered", "failed")
PING: Final = "webhook.ping"
# At once; who has more asks again.
REPLAYED_MAX: Final = 1_000
COUNTED_MAX: Final = 20_000


def page_deliveries(
    session: Session,
    endpoint: Endpoint,
    *,
    state: str | None = None,
    start: Position | None = None,
    limit: int,
) -> Page[Any]:
    """Return an endpoint's deliveries, newest first."""
    statement = sa.select(Delivery).where(Delivery.endpoint_id == endpoint.id)
    if state is not None:
        statement = statement.where(Delivery.state == state)
    return newest_first(
        session,
        statement,
        column=Delivery.position.expression,
        key=lambda row: row.Delivery.position,
        start=start,
        limit=limit,
    )


def find_delivery(session: Session, endpoint: Endpoint, delivery_id: UUID) -> Delivery:
    """Return one delivery of the endpoint, or raise NoSuchDelivery."""
    found = session.get(Delivery, delivery_id, populate_existing=True)
    if found is None or found.endpoint_id != endpoint.id:
        raise NoSuchDelivery
    return found


def attempts_of(session: Session, delivery: Delivery) -> Sequence[AttemptRow]:
    """Return every attempt of a delivery, the first one first."""
    own = sa.select(AttemptRow).where(AttemptRow.delivery_id == delivery.id)
    return session.scalars(own.order_by(AttemptRow.number)).all()


def ping(
    session: Session,
    endpoint: Endpoint,
    *,
    request_id: str | None,
    trace: str | None,
    now: datetime,
) -> Delivery:
    """Tell an endpoint, whatever it listens to, that it is heard."""
    _require_enabled(endpoint)
    delivery = Delivery(
        id=uuid4(),
        endpoint_id=endpoint.id,
        type=PING,
        at=now,
        data={"webhook_id": str(endpoint.id)},
        request_id=request_id,
        trace=trace,
        due_at=now,
    )
    session.add(delivery)
    session.flush()
    session.refresh(delivery)
    return delivery


_AGAIN: Final = {"state": "waiting", "tries": 0}


def replay(
    session: Session, endpoint: Endpoint, delivery_id: UUID, *, now: datetime
) -> Delivery:
    """Send a delivery again, now, whatever became of it before."""
    _require_enabled(endpoint)
    delivery = find_delivery(session, endpoint, delivery_id)
    idle = sa.update(Delivery).where(
        Delivery.id == delivery.id, Delivery.state != "sending"
    )
    asked = idle.values(due_at=now, **_AGAIN).returning(Delivery.id)
    if session.scalar(asked) is None:
        raise DeliveryUnderWay
    session.refresh(delivery)
    return delivery


def replay_failed(
    session: Session, endpoint: Endpoint, *, since: datetime, now: datetime
) -> int:
    """Send again what failed since a time, the oldest first; return how many."""
    _require_enabled(endpoint)
    failed = (
        sa.select(Delivery.id)
        .where(
            Delivery.endpoint_id == endpoint.id,
            Delivery.state == "failed",
            Delivery.at >= since,
        )
        .order_by(Delivery.position)
        .limit(REPLAYED_MAX)
        .with_for_update(skip_locked=True)
    )
    again = sa.update(Delivery).where(Delivery.id.in_(failed.scalar_subquery()))
    return len(
        session.scalars(
            again.values(due_at=now, **_AGAIN).returning(Delivery.id),
            execution_options={"synchronize_session": False},
        ).all()
    )


def _require_enabled(endpoint: Endpoint) -> None:
    if endpoint.disabled_at is not None:
        raise WebhookDisabled


_FORGET: Final = sa.text("""
    WITH old AS MATERIALIZED (
        SELECT id FROM webhook_deliveries WHERE at < :before
        ORDER BY at LIMIT :count FOR UPDATE SKIP LOCKED)
    DELETE FROM webhook_deliveries d USING old WHERE d.id = old.id
""")


def forget(session: Session, *, count: int, before: datetime) -> int:
    """Delete up to `count` deliveries of before a time; return how many."""
    bound = {"count": count, "before": before}
    return session.execute(_FORGET, bound).rowcount  # type: ignore[attr-defined, no-any-return]


_DEPTHS: Final = sa.text("""
    SELECT e.application, found.state, count(*)
    FROM webhook_endpoints e
    CROSS JOIN unnest(CAST(:states AS text[])) AS known(state)
    CROSS JOIN LATERAL (
        SELECT d.state FROM webhook_deliveries d
        WHERE d.endpoint_id = e.id AND d.state = known.state AND d.state <> 'delivered'
        LIMIT :count) AS found
    WHERE e.removed_at IS NULL GROUP BY 1, 2
""")


def depths(session: Session) -> list[tuple[str, str, int]]:
    """Return how many deliveries of each application are in each state but the best.

    Of an endpoint no more than COUNTED_MAX are counted in each.
    """
    bound = {"states": list(STATES), "count": COUNTED_MAX}
    return [tuple(row) for row in session.execute(_DEPTHS, bound)]
