"""An application's endpoints: made, changed, disabled, removed; each has a secret.

The secret is HMAC(secret outside the database, salt of the row): as with signing keys,
a copy of the database signs nothing.
"""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.ids import uuid7
from domain.pages import Page, Position, newest_first
from domain.signing_keys import derive
from domain.webhooks.record import (
    ASKED,
    REMOVED,
    Endpoint,
    NoSuchWebhook,
    TooManyWebhooks,
)

ENDPOINTS_MAX: Final = 20
# So long an old secret signs beside the new one.
OVERLAP: Final = timedelta(hours=24)

_SALT_BYTES: Final = 32
_PURPOSE: Final = "webhook"
_PREFIX: Final = "whsec_"

# One at a time for each application: how many it has is a question about all.
_LOCK: Final = sa.text(
    "SELECT pg_advisory_xact_lock(hashtext('webhooks'), hashtext(:application))"
)


def create(  # noqa: PLR0913  what is known of an endpoint
    session: Session,
    *,
    application: str,
    url: str,
    events: Sequence[str],
    description: str = "",
    now: datetime,
) -> Endpoint:
    """Store a new endpoint, which is told from now on."""
    session.execute(_LOCK, {"application": application})
    count = sa.select(sa.func.count()).select_from(_kept(application).subquery())
    if (session.scalar(count) or 0) >= ENDPOINTS_MAX:
        raise TooManyWebhooks
    endpoint = Endpoint(
        id=uuid7(),
        application=application,
        url=url,
        description=description,
        events=sorted(set(events)),
        salt=secrets.token_bytes(_SALT_BYTES),
        created_at=now,
    )
    session.add(endpoint)
    session.flush()
    return endpoint


def find(
    session: Session, endpoint_id: UUID, *, application: str | None, lock: bool = False
) -> Endpoint:
    """Return an endpoint, of the application if one is named, or raise NoSuchWebhook.

    `lock`: nobody else changes it until this transaction ends.
    """
    statement = _kept(application).where(Endpoint.id == endpoint_id)
    if lock:
        # Its events refer to it meanwhile.
        statement = statement.with_for_update(key_share=True)
    found: Endpoint | None = session.scalar(
        statement.execution_options(populate_existing=lock)
    )
    if found is None:
        raise NoSuchWebhook
    return found


def page(
    session: Session,
    *,
    application: str | None,
    start: Position | None = None,
    limit: int,
) -> Page[Any]:
    """Return endpoints, newest first, of the application if one is named."""
    return newest_first(
        session,
        _kept(application),
        column=Endpoint.id.expression,
        key=lambda row: row.Endpoint.id,
        start=start,
        limit=limit,
    )


def disable(endpoint: Endpoint, *, because: str, now: datetime) -> None:
    """Tell an endpoint nothing more; what waits for it goes on waiting."""
    if endpoint.disabled_at is None:
        endpoint.disabled_at = now
        endpoint.disabled_because = because


def enable(endpoint: Endpoint) -> None:
    """Tell an endpoint again, as if it had never failed."""
    endpoint.disabled_at = endpoint.disabled_because = endpoint.failing_since = None


def switch(endpoint: Endpoint, *, enabled: bool, now: datetime) -> None:
    """Enable or disable an endpoint because somebody asked for it."""
    if enabled:
        enable(endpoint)
    else:
        disable(endpoint, because=ASKED, now=now)


def remove(endpoint: Endpoint, *, now: datetime) -> None:
    """Remove an endpoint; what it was told stays on record until it is old."""
    disable(endpoint, because=REMOVED, now=now)
    endpoint.removed_at = now


def rotate(endpoint: Endpoint, *, now: datetime) -> None:
    """Give an endpoint another secret; the one it had signs too for a while."""
    endpoint.previous_salt, endpoint.previous_until = endpoint.salt, now + OVERLAP
    endpoint.salt = secrets.token_bytes(_SALT_BYTES)


def secret_of(salt: bytes, *, secret: str) -> str:
    """Return what an endpoint's messages are signed with, in the usual form."""
    key = derive(salt, _PURPOSE, secret=secret)
    return _PREFIX + b64encode(key).decode()


def _kept(application: str | None) -> sa.Select[Any]:
    statement = sa.select(Endpoint).where(Endpoint.removed_at.is_(None))
    if application is None:
        return statement
    return statement.where(Endpoint.application == application)
