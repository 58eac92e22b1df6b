"""API keys of applications: shown once, stored as a digest, bound by scopes."""

import hmac
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain import audit_events, key_texts
from domain.apps import applications
from domain.audit_events import Action
from domain.db import Base
from domain.errors import Invalid, NotFound
from domain.ids import uuid7
from domain.pages import Page, Position, newest_first
from domain.principals import Principal

SCOPES: Final = (
    "ledger:read",  # balances, statements, the trial balance
    "ledger:spend",  # operations and transfers on any owner of the application
    "ledger:credit",  # CREDIT_ADD and reversals
    "jobs:operate",  # see, and try again, every job of the application
    "keys:manage",  # create, list and revoke the application's keys
    "audit:read",  # the application's audit events
    "abuse:operate",  # the blocklist, of all applications together
    "governance:read",  # proposals, results, councils
    "webhooks:manage",  # where the application is told of events
    "governance:read",  # proposals, votes and councils, which are people's
)

_LAST_USED_GRAIN: Final = timedelta(minutes=1)


class NoSuchKey(NotFound):
    """There is no such API key, or it is not yours to see."""

    code = "no_such_key"


class UnknownScope(Invalid):
    """There is no such scope."""

    code = "unknown_scope"


class UnknownApplication(Invalid):
    """There is no such application."""

    code = "unknown_application"


class ApiKey(Base):
    """One key of an application; `principal` is who its writes belong to."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    position: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True))
    name: Mapped[str] = mapped_column(sa.Text)
    application: Mapped[str] = mapped_column(sa.Text)
    principal: Mapped[UUID]
    scopes: Mapped[list[str]] = mapped_column(postgresql.ARRAY(sa.Text))
    digest: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))

    def describe(self) -> dict[str, Any]:
        """Return the key as JSON shows it, which is without its secret."""
        return {
            "id": self.id,
            "name": self.name,
            "application": self.application,
            "scopes": self.scopes,
            "created_at": self.created_at.isoformat(),
            "expires_at": self.expires_at and self.expires_at.isoformat(),
            "revoked_at": self.revoked_at and self.revoked_at.isoformat(),
            "last_used_at": self.last_used_at and self.last_used_at.isoformat(),
        }


def create(  # noqa: PLR0913  what is known of a key
    session: Session,
    *,
    application: str,
    scopes: Collection[str],
    now: datetime,
    name: str = "",
    expires_at: datetime | None = None,
    replaces: str | None = None,
    actor: UUID | None = None,
    request_id: str | None = None,
) -> tuple[ApiKey, str]:
    """Store a new key; return it with the text that is shown this once.

    A key that replaces another keeps its principal, so that writes retried with
    the new key are still known; the old key works until it is revoked. `actor` is who
    makes it; the operator's own command is nobody.
    """
    if application not in applications():
        raise UnknownApplication(f"There is no application {application!r}.")
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise UnknownScope(f"Unknown scopes: {', '.join(unknown)}.")
    before = _get(session, replaces) if replaces else None
    if before and before.application != application:
        raise NoSuchKey(f"{application} has no API key {replaces!r}.")
    identifier, text = key_texts.make()
    key = ApiKey(
        id=identifier,
        name=name,
        application=application,
        principal=before.principal if before else uuid7(),
        scopes=sorted(scopes),
        digest=key_texts.digest(text),
        created_at=now,
        expires_at=expires_at,
    )
    session.add(key)
    audit_events.record(
        session,
        action=Action.KEY_CREATED,
        application=application,
        actor=actor,
        subject=f"key:{key.id}",
        details={
            "scopes": key.scopes,
            "expires_at": expires_at and expires_at.isoformat(),
            "replaces": replaces,
        },
        request_id=request_id,
        now=now,
    )
    session.flush()
    return key, text


def revoke(
    session: Session,
    key_id: str,
    *,
    now: datetime,
    actor: UUID | None = None,
    request_id: str | None = None,
) -> None:
    """Stop a key from being accepted."""
    key = _get(session, key_id)
    if key.revoked_at is not None:
        return
    key.revoked_at = now
    audit_events.record(
        session,
        action=Action.KEY_REVOKED,
        application=key.application,
        actor=actor,
        subject=f"key:{key.id}",
        details={},
        request_id=request_id,
        now=now,
    )
    session.flush()


def list_keys(session: Session) -> Sequence[ApiKey]:
    """Return every key, oldest first."""
    return session.scalars(sa.select(ApiKey).order_by(ApiKey.created_at)).all()


def find(session: Session, key_id: str, *, application: str | None = None) -> ApiKey:
    """Return one key, of the application if one is named, or raise NoSuchKey."""
    key = _get(session, key_id)
    if application not in {None, key.application}:
        raise _no_such_key(key_id)
    return key


def page(
    session: Session,
    *,
    application: str | None = None,
    start: Position | None = None,
    limit: int,
) -> Page[Any]:
    """Return keys, newest first, of the application if one is named."""
    statement = sa.select(ApiKey)
    if application is not None:
        statement = statement.where(ApiKey.application == application)
    return newest_first(
        session,
        statement,
        column=ApiKey.position.expression,
        key=lambda row: row.ApiKey.position,
        start=start,
        limit=limit,
    )


def authenticate(session: Session, text: str, *, now: datetime) -> Principal | None:
    """Return whose key this is; None when unknown, expired or revoked."""
    identifier = key_texts.identifier(text)
    key = identifier and session.get(ApiKey, identifier)
    if not key or not hmac.compare_digest(key_texts.digest(text), key.digest):
        return None
    if key.revoked_at is not None or (key.expires_at and key.expires_at <= now):
        return None
    if key.last_used_at is None or now - key.last_used_at > _LAST_USED_GRAIN:
        key.last_used_at = now
    return Principal(key.principal, key.application, frozenset(key.scopes))


def _get(session: Session, key_id: str) -> ApiKey:
    key = session.get(ApiKey, key_id)
    if key is None:
        raise _no_such_key(key_id)
    return key


def _no_such_key(key_id: str) -> NoSuchKey:
    return NoSuchKey(f"There is no API key {key_id!r}.")
