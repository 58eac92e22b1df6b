"""Who a person is elsewhere: an issuer's word for them, good for one account here."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain import users
from domain.db import Base
from domain.errors import Conflict, Invalid
from domain.users import EmailTaken, User


class IdentityTaken(Conflict):
    """This identity belongs to another account here; log in with it instead."""

    code = "identity_taken"


class UsernameNeeded(Invalid):
    """Nobody has logged in with this identity yet: send `username` with the token."""

    code = "username_needed"


class Identity(NamedTuple):
    """What an issuer says of someone; `email` only where it was verified."""

    issuer: str
    subject: str
    email: str | None = None


class ExternalIdentity(Base):
    """One account an issuer's subject may log in to."""

    __tablename__ = "external_identities"
    __table_args__ = (sa.Index("external_identities_user", "user_id"),)

    issuer: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    subject: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    linked_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


def find(session: Session, identity: Identity) -> User | None:
    """Return whose identity this is, locked against other changes."""
    known = session.get(ExternalIdentity, (identity.issuer, identity.subject))
    return None if known is None else users.get(session, known.user_id, lock=True)


def link(session: Session, identity: Identity, user_id: UUID, *, now: datetime) -> bool:
    """Let the identity log in to this account, or raise IdentityTaken.

    Say whether that is new.
    """
    row = {
        "issuer": identity.issuer,
        "subject": identity.subject,
        "user_id": user_id,
        "linked_at": now,
    }
    insert = postgresql.insert(ExternalIdentity).values(row).on_conflict_do_nothing()
    new = session.scalar(insert.returning(ExternalIdentity.user_id)) is not None
    owner = find(session, identity)
    if owner is None or owner.id != user_id:
        raise IdentityTaken
    return new


def create(
    session: Session, identity: Identity, *, username: str | None, now: datetime
) -> User:
    """Make an account for who is new here; an address that is taken is left out."""
    if username is None:
        raise UsernameNeeded
    try:
        user = users.create(session, username=username, email=identity.email, now=now)
    except (EmailTaken, users.InvalidEmail):
        user = users.create(session, username=username, now=now)
    link(session, identity, user.id, now=now)
    return user


def forget(session: Session, user_id: UUID) -> None:
    """Unlink every identity of a person."""
    mine = ExternalIdentity.user_id == user_id
    session.execute(sa.delete(ExternalIdentity).where(mine))
