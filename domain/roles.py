"""Roles people hold, each granted by someone and perhaps until a day."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain import audit_events, users
from domain.audit_events import Action
from domain.db import Base
from domain.errors import Invalid, NotFound
from domain.ids import uuid7
from domain.logins import Login
from domain.pages import Page, Position, newest_first
from domain.principals import PEOPLES_APPLICATION
from domain.users import User

# Beside "member", which everyone is.
ROLES: Final = ("moderator", "council", "guardian", "operator", "auditor", "admin")
# What may be held for so long at most, and never for good.
LONGEST: Final[Mapping[str, timedelta]] = {"guardian": timedelta(days=366)}


class UnknownRole(Invalid):
    """There is no such role to grant."""

    code = "unknown_role"


class EndsTooEarly(Invalid):
    """A role ends after it was granted, so choose a later time."""

    code = "ends_too_early"


class RoleTooLong(Invalid):
    """A guardian is one for a year at most, and then granted anew."""

    code = "role_too_long"


class NoSuchRole(NotFound):
    """This person does not hold this role."""

    code = "no_such_role"


class RoleGrant(Base):
    """One person's role from one moment on; it stays written down when it is over."""

    __tablename__ = "role_grants"
    __table_args__ = (
        sa.Index("role_grants_user", "user_id", "id"),
        sa.Index(
            "role_grants_standing",
            "user_id",
            "role",
            unique=True,
            postgresql_where=sa.text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    role: Mapped[str] = mapped_column(sa.Text)
    granted_by: Mapped[UUID | None]
    granted_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    ends_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))


def grant(  # noqa: PLR0913  what is known of a grant
    session: Session,
    user_id: UUID,
    role: str,
    *,
    by: UUID | None,
    ends_at: datetime | None,
    now: datetime,
    request_id: str | None = None,
) -> RoleGrant:
    """Give a person a role; one they hold is replaced, and so its end.

    `by` is who gives it; the operator's own command is nobody.
    """
    if role not in ROLES:
        raise UnknownRole(f"Roles to grant are {', '.join(ROLES)}.")
    if ends_at is not None and ends_at <= now:
        raise EndsTooEarly
    longest = LONGEST.get(role)
    if longest is not None and (ends_at is None or ends_at > now + longest):
        raise RoleTooLong
    users.get(session, user_id, lock=True)
    _revoke(session, user_id, role, now=now)
    made = RoleGrant(
        id=uuid7(),
        user_id=user_id,
        role=role,
        granted_by=by,
        granted_at=now,
        ends_at=ends_at,
    )
    session.add(made)
    audit_events.record(
        session,
        action=Action.ROLE_GRANTED,
        application=PEOPLES_APPLICATION,
        actor=by,
        subject=f"user:{user_id}",
        details={"role": role, "ends_at": ends_at and ends_at.isoformat()},
        request_id=request_id,
        now=now,
    )
    session.flush()
    return made


def revoke(  # noqa: PLR0913  what is known of a deed
    session: Session,
    user_id: UUID,
    role: str,
    *,
    by: UUID | None,
    now: datetime,
    request_id: str | None = None,
) -> None:
    """Take a role a person holds, or raise NoSuchRole."""
    users.get(session, user_id, lock=True)
    if role not in effective(session, user_id, now=now):
        raise NoSuchRole
    _revoke(session, user_id, role, now=now)
    audit_events.record(
        session,
        action=Action.ROLE_REVOKED,
        application=PEOPLES_APPLICATION,
        actor=by,
        subject=f"user:{user_id}",
        details={"role": role},
        request_id=request_id,
        now=now,
    )


def revoke_all(session: Session, user_id: UUID, *, now: datetime) -> None:
    """Take every role a person holds."""
    for role in ROLES:
        _revoke(session, user_id, role, now=now)


def effective(session: Session, user_id: UUID, *, now: datetime) -> frozenset[str]:
    """Return the roles a person holds at this moment, "member" left out."""
    held = sa.select(RoleGrant.role).where(RoleGrant.user_id == user_id, *_held(now))
    return frozenset(session.scalars(held))


def of_login(
    session: Session, login_id: UUID, *, user_id: UUID, now: datetime
) -> frozenset[str] | None:
    """Return the roles of who is logged in so; None when that is over."""
    held = sa.and_(RoleGrant.user_id == Login.user_id, *_held(now))
    found = session.execute(
        sa.select(sa.func.array_agg(RoleGrant.role))
        .select_from(Login)
        .join(User, User.id == Login.user_id)
        .outerjoin(RoleGrant, held)
        .where(Login.id == login_id, Login.user_id == user_id)
        .where(Login.ended_at.is_(None), Login.expires_at > now)
        .where(User.deleted_at.is_(None))
        .group_by(Login.id)
    ).first()
    return None if found is None else frozenset(filter(None, found[0]))


def page(
    session: Session, user_id: UUID, *, start: Position | None, limit: int
) -> Page[Any]:
    """Return a person's grants, those that are over too, newest first."""
    return newest_first(
        session,
        sa.select(RoleGrant).where(RoleGrant.user_id == user_id),
        column=RoleGrant.id,  # type: ignore[arg-type]
        key=lambda row: row.RoleGrant.id,
        start=start,
        limit=limit,
    )


def _revoke(session: Session, user_id: UUID, role: str, *, now: datetime) -> None:
    standing = (
        RoleGrant.user_id == user_id,
        RoleGrant.role == role,
        RoleGrant.revoked_at.is_(None),
    )
    session.execute(sa.update(RoleGrant).where(*standing).values(revoked_at=now))


def _held(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    unended = sa.or_(RoleGrant.ends_at.is_(None), RoleGrant.ends_at > now)
    return RoleGrant.granted_at <= now, RoleGrant.revoked_at.is_(None), unended
