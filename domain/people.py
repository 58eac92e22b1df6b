"""What concerns all that is known of a person at once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from domain import external_identities, logins, roles, users


def remove(session: Session, user_id: UUID, *, now: datetime) -> None:
    """End an account: its name and its books stay, all else is forgotten."""
    user = users.get(session, user_id, lock=True)
    logins.end_all(session, user_id, now=now)
    roles.revoke_all(session, user_id, now=now)
    external_identities.forget(session, user_id)
    users.delete(session, user, now=now)
