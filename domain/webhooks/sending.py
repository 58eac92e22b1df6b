"""Deliveries under way: chosen fairly, tried again ever later, given up in the end.

Who chooses a delivery has it until `due_at`; should they fall silent, it is due again.
`attempts` is the fencing token, as it is with jobs.
"""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import audit_events
from domain.audit_events import Action
from domain.webhooks.keeping import disable, secret_of
from domain.webhooks.record import BEHIND, FAILING, GONE, Endpoint

# After the first try, and after each one that failed. Each is the longest it may be:
# what failed together is not tried together again.
SCHEDULE: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
)
RETRY_AFTER_MAX: Final = timedelta(hours=24)
# An endpoint that takes nothing for so long is disabled.
FAILING_MAX: Final = timedelta(days=5)
# So is one for which more than this wait: it takes less than there is to tell.
WAITING_MAX: Final = 100_000

# Longer than an attempt can take (tasks/_posting.py).
LEASE: Final = timedelta(seconds=60)
# At once, over all workers: what is slow must leave room for others.
EACH_MAX: Final = 8
APPLICATION_MAX: Final = 16


class Chosen(NamedTuple):
    """A delivery to be sent now."""

    id: UUID
    attempts: int
    tries: int
    type: str
    at: datetime
    data: Any
    request_id: str | None
    trace: str | None
    endpoint_id: UUID
    url: str
    salt: bytes
    previous_salt: bytes | None
    previous_until: datetime | None

    def body(self) -> str:
        """Return what is sent, the same at every attempt."""
        at = self.at.astimezone(UTC).isoformat()
        said = {"type": self.type, "timestamp": at, "data": self.data}
        return json.dumps(said, separators=(",", ":"))

    def secrets(self, *, secret: str, now: datetime) -> list[str]:
        """Return what to sign with: the secret, and for a while the one before."""
        salts = [self.salt]
        if self.previous_salt and self.previous_until and now < self.previous_until:
            salts.append(self.previous_salt)
        return [secret_of(bytes(salt), secret=secret) for salt in salts]


class Attempt(NamedTuple):
    """How it went: a status, or why there is none."""

    delivery: Chosen
    at: datetime
    ms: int
    status: int | None = None
    error: str | None = None
    body: str | None = None
    retry_after: timedelta = timedelta(0)

    @property
    def succeeded(self) -> bool:
        """Say whether the receiver took it; to be sent elsewhere is no success."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004  2xx


# The oldest of each endpoint; of those, one after another of each application, those
# with the least under way first.
_CHOOSE: Final = sa.text("""
    WITH busy AS (
        SELECT endpoint_id, count(*) FROM webhook_deliveries
        WHERE state = 'sending' AND due_at > :now GROUP BY endpoint_id
    ), listening AS (
        SELECT e.id, e.application, coalesce(busy.count, 0) AS busy,
               sum(coalesce(busy.count, 0)) OVER (PARTITION BY application) AS together
        FROM webhook_endpoints e LEFT JOIN busy ON busy.endpoint_id = e.id
        WHERE e.disabled_at IS NULL
    ), heads AS (
        SELECT head.id, head.due_at, together
            + row_number() OVER (PARTITION BY application ORDER BY head.due_at) AS place
        FROM listening, LATERAL (
            SELECT id, due_at FROM webhook_deliveries
            WHERE endpoint_id = listening.id AND due_at <= :now
            ORDER BY due_at LIMIT greatest(0, :each - listening.busy)) AS head
    ), chosen AS MATERIALIZED (
        SELECT d.id FROM webhook_deliveries d JOIN heads USING (id)
        WHERE heads.place <= :together AND d.due_at <= :now
        ORDER BY heads.place, heads.due_at LIMIT :count
        FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE webhook_deliveries d
    SET state = 'sending', attempts = attempts + 1, tries = tries + 1, due_at = :until
    FROM chosen, webhook_endpoints e
    WHERE d.id = chosen.id AND e.id = d.endpoint_id
    RETURNING d.id, d.attempts, d.tries, d.type, d.at, d.data, d.request_id, d.trace,
        e.id, e.url, e.salt, e.previous_salt, e.previous_until
""")


def choose(session: Session, *, count: int, now: datetime) -> list[Chosen]:
    """Take up to `count` deliveries that are due, to send them outside of this."""
    bound = {
        "count": count,
        "each": EACH_MAX,
        "together": APPLICATION_MAX,
        "until": now + LEASE,
        "now": now,
    }
    return [Chosen._make(row) for row in session.execute(_CHOOSE, bound)]


_DUE: Final = sa.text("""
    SELECT EXISTS (
        SELECT FROM webhook_endpoints e WHERE e.disabled_at IS NULL AND EXISTS (
            SELECT FROM webhook_deliveries
            WHERE endpoint_id = e.id AND due_at <= :now))
""")


def due(session: Session, *, now: datetime) -> bool:
    """Say whether there is a delivery to be sent."""
    return bool(session.scalar(_DUE, {"now": now}))


# Who lost the lease stores nothing.
_RECORD: Final = sa.text("""
    WITH tried AS (
        UPDATE webhook_deliveries d SET state = r.state, due_at = r.due_at
        FROM json_to_recordset(CAST(:rows AS json)) AS r(
            id uuid, number smallint, state text, due_at timestamptz,
            at timestamptz, ms integer, status smallint, error text, body text)
        WHERE d.id = r.id AND d.attempts = r.number AND d.state = 'sending'
        RETURNING r.*)
    INSERT INTO webhook_attempts (delivery_id, number, at, ms, status, error, body)
    SELECT id, number, at, ms, status, error, body FROM tried
""")


def record(session: Session, attempts: Sequence[Attempt], *, now: datetime) -> None:
    """Store how attempts went, and when the next ones are due."""
    if not attempts:
        return
    rows = [_row(attempt, now) for attempt in attempts]
    session.execute(_RECORD, {"rows": json.dumps(rows)})
    _judge(session, attempts, now)


def _row(attempt: Attempt, now: datetime) -> dict[str, Any]:
    state, due_at = _next(attempt, now)
    return {
        "id": attempt.delivery.id.hex,
        "number": attempt.delivery.attempts,
        "state": state,
        "due_at": due_at and due_at.isoformat(),
        "at": attempt.at.isoformat(),
        "ms": attempt.ms,
        "status": attempt.status,
        "error": attempt.error,
        "body": attempt.body,
    }


def _next(attempt: Attempt, now: datetime) -> tuple[str, datetime | None]:
    """Return what a delivery is after an attempt, and when it is due again."""
    if attempt.succeeded:
        return "delivered", None
    tries = attempt.delivery.tries
    if attempt.status == HTTPStatus.GONE or tries > len(SCHEDULE):
        return "failed", None
    # Full jitter; what the receiver asks for is more, never less.
    wait = SCHEDULE[tries - 1] * random.uniform(0, 1)  # noqa: S311  spreads load
    return "waiting", now + max(wait, min(attempt.retry_after, RETRY_AFTER_MAX))


def _judge(session: Session, attempts: Sequence[Attempt], now: datetime) -> None:
    """Note which endpoints fail, and disable those that want no more or take none."""
    ids = {attempt.delivery.endpoint_id for attempt in attempts}
    statement = sa.select(Endpoint).where(Endpoint.id.in_(ids)).order_by(Endpoint.id)
    locked = statement.with_for_update(key_share=True)
    for endpoint in session.scalars(locked.execution_options(populate_existing=True)):
        own = [a for a in attempts if a.delivery.endpoint_id == endpoint.id]
        if any(attempt.status == HTTPStatus.GONE for attempt in own):
            _give_up(session, endpoint, because=GONE, now=now)
        elif any(attempt.succeeded for attempt in own):
            endpoint.failing_since = None
        else:
            endpoint.failing_since = endpoint.failing_since or now
            if now - endpoint.failing_since > FAILING_MAX:
                _give_up(session, endpoint, because=FAILING, now=now)


_BEHIND: Final = sa.text("""
    SELECT e.id FROM webhook_endpoints e
    WHERE e.disabled_at IS NULL AND EXISTS (
        SELECT FROM webhook_deliveries
        WHERE endpoint_id = e.id AND due_at IS NOT NULL OFFSET :most)
    ORDER BY e.id FOR NO KEY UPDATE OF e
""")


def give_up_behind(session: Session, *, now: datetime) -> int:
    """Disable endpoints for which too much waits; return how many."""
    ids = session.scalars(_BEHIND, {"most": WAITING_MAX}).all()
    for endpoint_id in ids:
        endpoint = session.get_one(Endpoint, endpoint_id, populate_existing=True)
        _give_up(session, endpoint, because=BEHIND, now=now)
    return len(ids)


def _give_up(
    session: Session, endpoint: Endpoint, *, because: str, now: datetime
) -> None:
    if endpoint.disabled_at is not None:
        return
    disable(endpoint, because=because, now=now)
    audit_events.record(
        session,
        action=Action.WEBHOOK_DISABLED,
        application=endpoint.application,
        actor=None,
        subject=f"webhook:{endpoint.id}",
        details={"because": because},
        request_id=None,
        now=now,
    )
