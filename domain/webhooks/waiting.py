"""Deliveries that wait, as far as workers can do something about it."""

from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.webhooks.sending import APPLICATION_MAX, EACH_MAX


class Waiting(NamedTuple):
    """Counts of deliveries, and since when the oldest that could be sent is due.

    What is due while its receiver is sent all it may be waits for the receiver, and
    not for a worker: it is delayed.
    """

    ready: int
    delayed: int
    sending: int
    since: datetime | None


# What somebody fell silent over is due again.
_WAITING: Final = sa.text("""
    WITH endpoints AS (
        SELECT application, head.*, sending,
               least(due, greatest(0, :each - sending)) AS room
        FROM webhook_endpoints e, LATERAL (
            SELECT count(*) AS sending FROM webhook_deliveries
            WHERE endpoint_id = e.id AND state = 'sending' AND due_at > :now) AS busy,
        LATERAL (
            SELECT count(*) FILTER (WHERE due_at <= :now) AS due,
                   count(*) FILTER (WHERE due_at > :now AND state = 'waiting') AS later,
                   min(due_at) FILTER (WHERE due_at <= :now) AS since
            FROM (
                SELECT state, due_at FROM webhook_deliveries
                WHERE endpoint_id = e.id AND due_at IS NOT NULL
                ORDER BY due_at LIMIT :counted) AS first) AS head
        WHERE e.disabled_at IS NULL
    ), applications AS (
        SELECT sum(due + later) AS waiting, sum(sending) AS sending,
               least(sum(room), greatest(0, :together - sum(sending))) AS ready,
               min(since) FILTER (WHERE room > 0) AS since
        FROM endpoints GROUP BY application
    )
    SELECT coalesce(sum(ready), 0)::bigint, coalesce(sum(waiting - ready), 0)::bigint,
           coalesce(sum(sending), 0)::bigint, min(since) FILTER (WHERE ready > 0)
    FROM applications
""")


def waiting(session: Session, *, counted: int, now: datetime) -> Waiting:
    """Return what waits and is sent, of each endpoint so many counted at most."""
    bound = {
        "counted": counted,
        "each": EACH_MAX,
        "together": APPLICATION_MAX,
        "now": now,
    }
    return Waiting._make(session.execute(_WAITING, bound).one())
