"""Tokens that let a person who lost their password choose another.

Signed, timed, and void as soon as password or address are others than those it was made
for: that is what makes it good for one use.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from domain import signing_keys, users
from domain.errors import Invalid
from domain.signing_keys import SigningKey
from domain.users import User

# The kind of job that makes one and sends it.
SEND: Final = "mail.send_password_reset"
GOOD_FOR: Final = timedelta(minutes=30)

_PURPOSE: Final = "password-reset"
_TOKEN: Final = re.compile(
    r"(?P<key>[0-9a-f]{32})\.(?P<user>[0-9a-f]{32})\.(?P<until>[0-9]{1,12})\.(?P<mark>[\w-]{43})",
    re.ASCII,
)


class InvalidResetToken(Invalid):
    """This token was used, replaced or is too old; ask for another mail."""

    code = "invalid_reset_token"


def make(session: Session, user: User, *, secret: str, now: datetime) -> str:
    """Return a token for the person, to be sent to their address."""
    keys = signing_keys.standing(session, secret=secret, now=now)
    key = signing_keys.signing(keys, now=now)
    until = int((now + GOOD_FOR).timestamp())
    mark = _mark(key, user, until, secret)
    return f"{key.id.hex}.{user.id.hex}.{until}.{mark}"


def read(
    session: Session, token: str, *, secret: str, now: datetime, lock: bool = False
) -> User:
    """Return whose token this is, or raise InvalidResetToken."""
    match = _TOKEN.fullmatch(token)
    if match is None or int(match["until"]) <= now.timestamp():
        raise InvalidResetToken
    keys = signing_keys.standing(session, secret=secret, now=now)
    key = _named(keys, UUID(match["key"]))
    try:
        user = users.get(session, UUID(match["user"]), lock=lock)
    except users.NoSuchUser:
        raise InvalidResetToken from None
    expected = _mark(key, user, int(match["until"]), secret)
    if not hmac.compare_digest(match["mark"], expected):
        raise InvalidResetToken
    return user


def _named(keys: Sequence[SigningKey], key_id: UUID) -> SigningKey:
    for key in keys:
        if key.id == key_id:
            return key
    raise InvalidResetToken


def _mark(key: SigningKey, user: User, until: int, secret: str) -> str:
    said = f"{user.id.hex}.{until}.{user.password_hash or ''}.{user.email or ''}"
    signed = hmac.digest(key.derive(_PURPOSE, secret=secret), said.encode(), "sha256")
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")
