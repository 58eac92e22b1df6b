"""People: a name for good, and what they tell of themselves while they stay."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base
from domain.errors import Conflict, Invalid, NotFound
from domain.ids import uuid7
from domain.pages import Page, Position, newest_first

USERNAME_LENGTH_MAX: Final = 32
EMAIL_LENGTH_MAX: Final = 254

_USERNAME: Final = re.compile(r"[A-Za-z0-9._-]{3,32}")
# ASCII: two addresses that look alike must not be two.
_EMAIL: Final = re.compile(
    r"[!-?A-~]{1,64}@(?:[0-9A-Za-z-]{1,63}\.)+[0-9A-Za-z-]{2,63}"
)
_MARKS: Final = str.maketrans("", "", "._-")

# Whoever had one of these would be taken for us; compared without the marks.
_RESERVED: Final = Path(__file__).with_name("reserved_usernames.txt")


class NoSuchUser(NotFound):
    """There is no such person, or they are not yours to see."""

    code = "no_such_user"


class InvalidUsername(Invalid):
    """3 to 32 of the letters a to z, digits and . _ -, at least one no mark."""

    code = "invalid_username"


class UsernameTaken(Conflict):
    """This username is taken or reserved; choose another."""

    code = "username_taken"


class InvalidEmail(Invalid):
    """Not an e-mail address; write an international one in its ASCII form."""

    code = "invalid_email"


class EmailTaken(Conflict):
    """This e-mail address belongs to another account; use that, or another address."""

    code = "email_taken"


class User(Base):
    """One person; the row outlives the account, so that its name stays theirs."""

    __tablename__ = "users"
    __table_args__ = (
        sa.Index("users_username", sa.text("lower(username)"), unique=True),
        sa.Index("users_email", sa.text("lower(email)"), unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.Text(collation="C"))
    email: Mapped[str | None] = mapped_column(sa.Text(collation="C"))
    password_hash: Mapped[str | None] = mapped_column(sa.Text)
    display_name: Mapped[str | None] = mapped_column(sa.Text)
    bio: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))


def create(
    session: Session,
    *,
    username: str,
    now: datetime,
    email: str | None = None,
    password_hash: str | None = None,
) -> User:
    """Store a new person, or raise what is wrong with their name or address."""
    require_username(username)
    row = {
        "id": uuid7(),
        "username": username,
        "email": email and require_email(email),
        "password_hash": password_hash,
        "created_at": now,
    }
    # Of those who ask for a name at once the database chooses one.
    insert = postgresql.insert(User).values(row).on_conflict_do_nothing()
    user: User | None = session.scalar(insert.returning(User))
    if user is not None:
        return user
    raise EmailTaken if available(session, username) else UsernameTaken


def require_username(name: str) -> None:
    """Raise InvalidUsername, or UsernameTaken for one that nobody may have."""
    plain = name.lower().translate(_MARKS)
    if not _USERNAME.fullmatch(name) or not plain:
        raise InvalidUsername
    if plain in _reserved():
        raise UsernameTaken


def require_email(address: str) -> str:
    """Return the address, or raise InvalidEmail."""
    if len(address) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(address):
        raise InvalidEmail
    return address


def available(session: Session, name: str) -> bool:
    """Say whether nobody has, or had, this name."""
    return not session.scalar(sa.select(sa.exists().where(_named(name))))


def get(session: Session, user_id: UUID, *, lock: bool = False) -> User:
    """Return a person who has an account, or raise NoSuchUser.

    `lock`: nobody else changes them until this transaction ends.
    """
    user = session.get(User, user_id, with_for_update=lock, populate_existing=lock)
    if user is None or user.deleted_at is not None:
        raise NoSuchUser
    return user


def lock_unchanged(
    session: Session, user_id: UUID, *, password_hash: str | None
) -> User | None:
    """Return a person, locked; None when their password is another by now."""
    user = session.get(User, user_id, with_for_update=True, populate_existing=True)
    if user is None or user.deleted_at is not None:
        return None
    return user if user.password_hash == password_hash else None


def by_username(session: Session, name: str) -> User | None:
    """Return the person of this name who has an account."""
    return session.scalar(
        sa.select(User).where(_named(name), User.deleted_at.is_(None))
    )


def by_email(session: Session, address: str) -> User | None:
    """Return the person of this address who has an account."""
    same = sa.func.lower(User.email) == _lower(address)
    return session.scalar(sa.select(User).where(same))


def page(
    session: Session, *, username: str | None, start: Position | None, limit: int
) -> Page[Any]:
    """Return people who have an account, newest first, or the one of a name."""
    living = sa.select(User).where(User.deleted_at.is_(None))
    if username is not None:
        living = living.where(_named(username))
    return newest_first(
        session,
        living,
        column=User.id,  # type: ignore[arg-type]
        key=lambda row: row.User.id,
        start=start,
        limit=limit,
    )


def change(session: Session, user: User, fields: Mapping[str, str | None]) -> None:
    """Change e-mail address, display name or bio; None takes one away."""
    if fields.get("email") is not None:
        require_email(str(fields["email"]))
    try:
        with session.begin_nested():
            for name in fields.keys() & {"email", "display_name", "bio"}:
                setattr(user, name, fields[name])
    except IntegrityError:
        raise EmailTaken from None


def delete(session: Session, user: User, *, now: datetime) -> None:
    """Forget everything a person told us but their name, which stays in the books."""
    user.email = user.password_hash = user.display_name = user.bio = None
    user.deleted_at = now
    session.flush()


def _named(name: str) -> sa.ColumnElement[bool]:
    return sa.func.lower(User.username) == _lower(name)


@cache
def _reserved() -> frozenset[str]:
    return frozenset(_RESERVED.read_text().split())


def _lower(text: str) -> str:
    """Fold what the indexes fold: of other letters some would become ASCII."""
    return text.lower() if text.isascii() else text
