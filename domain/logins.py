"""Logins: each a family of refresh tokens of which one at a time is good.

A token is `pr_<login>_<family>_<link>`. The next link is derived from the one shown and
a key that never leaves the row: whoever asks twice with one token gets the same next
one, and neither the row nor a token alone tells what comes after it.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base
from domain.errors import Forbidden, NotFound
from domain.ids import uuid7
from domain.pages import Page, Position, newest_first

UNUSED_MAX: Final = timedelta(days=30)
LIFE_MAX: Final = timedelta(days=180)
# The answer to a refresh may be lost: for so long the same token gets it again.
GRACE: Final = timedelta(seconds=10)
# What is hard to undo is asked of those who showed their password so lately.
RECENT: Final = timedelta(minutes=15)
LOGINS_MAX: Final = 50
DEVICE_LENGTH_MAX: Final = 200

_TOKEN: Final = re.compile(r"pr_([0-9a-f]{32})_([0-9a-f]{32})_([0-9a-f]{64})")


class NoSuchLogin(NotFound):
    """There is no such session, or it is not yours."""

    code = "no_such_session"


class LoginTooOld(Forbidden):
    """Log in again, then send this within a quarter of an hour."""

    code = "login_too_old"


class Login(Base):
    """One person on one device, from showing a password to the end of it."""

    __tablename__ = "logins"
    __table_args__ = (sa.Index("logins_user", "user_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    device: Mapped[str | None] = mapped_column(sa.Text)
    family_digest: Mapped[bytes]
    current_digest: Mapped[bytes]
    previous_digest: Mapped[bytes | None]
    chain_key: Mapped[bytes]
    started_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    refreshed_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A login goes on with a new refresh token."""

    login: Login
    token: str


@dataclass(frozen=True, slots=True)
class Reused:
    """A spent token was shown: one of two who have it is a thief, and both are out."""

    login: Login


def start(
    session: Session, user_id: UUID, *, device: str | None, now: datetime
) -> Refreshed:
    """Begin a login; the one longest unused ends where there would be too many.

    The caller has locked the person.
    """
    _end(session, _surplus(user_id, now), now=now)
    login_id = uuid7()
    token = _text(login_id, secrets.token_hex(16), secrets.token_hex(32))
    login = Login(
        id=login_id,
        user_id=user_id,
        device=device and device[:DEVICE_LENGTH_MAX],
        family_digest=_family_digest(token),
        current_digest=_digest(token),
        chain_key=secrets.token_bytes(32),
        started_at=now,
        refreshed_at=now,
        expires_at=now + UNUSED_MAX,
    )
    session.add(login)
    session.flush()
    return Refreshed(login, token)


def refresh(
    session: Session, token: str, *, now: datetime
) -> Refreshed | Reused | None:
    """Exchange a refresh token for the next; None for one that is no good.

    A spent one ends its login, except just after it was spent.
    """
    match = _TOKEN.fullmatch(token)
    login = match and session.get(Login, UUID(match[1]), with_for_update=True)
    if not login or not _stands(login, now) or not _of_family(login, token):
        return None
    shown, succeeding = _digest(token), _next(login, token)
    if hmac.compare_digest(shown, login.current_digest):
        login.previous_digest, login.current_digest = shown, _digest(succeeding)
        login.refreshed_at = now
        login.expires_at = min(now + UNUSED_MAX, login.started_at + LIFE_MAX)
    elif shown != login.previous_digest or now - login.refreshed_at > GRACE:
        login.ended_at = now
        session.flush()
        return Reused(login)
    session.flush()
    return Refreshed(login, succeeding)


def page(
    session: Session,
    user_id: UUID,
    *,
    start: Position | None,
    limit: int,
    now: datetime,
) -> Page[Any]:
    """Return a person's logins that stand, newest first."""
    return newest_first(
        session,
        sa.select(Login).where(Login.user_id == user_id, *_standing(now)),
        column=Login.id,  # type: ignore[arg-type]
        key=lambda row: row.Login.id,
        start=start,
        limit=limit,
    )


def require_recent(session: Session, login_id: UUID, *, now: datetime) -> None:
    """Raise LoginTooOld unless this login began a short while ago."""
    login = session.get(Login, login_id)
    if login is None or now - login.started_at > RECENT:
        raise LoginTooOld


def end(session: Session, login_id: UUID, *, user_id: UUID, now: datetime) -> None:
    """End one login of a person, or raise NoSuchLogin."""
    mine = (Login.id == login_id, Login.user_id == user_id, *_standing(now))
    if not _end(session, sa.select(Login.id).where(*mine), now=now):
        raise NoSuchLogin


def end_all(
    session: Session, user_id: UUID, *, now: datetime, but: UUID | None = None
) -> int:
    """End a person's logins, all but one perhaps; return how many."""
    mine = sa.select(Login.id).where(Login.user_id == user_id, *_standing(now))
    if but is not None:
        mine = mine.where(Login.id != but)
    return len(_end(session, mine, now=now))


def forget(session: Session, *, before: datetime, count: int) -> int:
    """Delete up to `count` logins that were over by then; return how many."""
    over = sa.func.coalesce(Login.ended_at, Login.expires_at) < before
    old = sa.select(Login.id).where(over).limit(count)
    gone = sa.delete(Login).where(Login.id.in_(old)).returning(Login.id)
    return len(session.scalars(gone).all())


def _end(session: Session, which: sa.Select[UUID], *, now: datetime) -> Sequence[UUID]:
    ended = (
        sa.update(Login)
        .where(Login.id.in_(which))
        .values(ended_at=now)
        .returning(Login.id)
    )
    return session.scalars(ended).all()


def _surplus(user_id: UUID, now: datetime) -> sa.Select[UUID]:
    standing = sa.select(Login.id).where(Login.user_id == user_id, *_standing(now))
    latest_first = standing.order_by(Login.refreshed_at.desc(), Login.id.desc())
    return latest_first.offset(LOGINS_MAX - 1)


def _standing(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return Login.ended_at.is_(None), Login.expires_at > now


def _stands(login: Login, now: datetime) -> bool:
    return login.ended_at is None and login.expires_at > now


def _text(login_id: UUID, family: str, link: str) -> str:
    return f"pr_{login_id.hex}_{family}_{link}"


def _next(login: Login, token: str) -> str:
    *_, family, link = token.split("_")
    derived = hmac.digest(login.chain_key, link.encode(), "sha256").hex()
    return _text(login.id, family, derived)


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _family_digest(token: str) -> bytes:
    return sha256(token.split("_")[2].encode()).digest()


def _of_family(login: Login, token: str) -> bool:
    return hmac.compare_digest(_family_digest(token), login.family_digest)
