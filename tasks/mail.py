"""The mail queue: what people are told outside of an answer."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from domain import audit_events, password_resets, users
from domain.audit_events import Action
from domain.jobs import Claim
from domain.principals import PEOPLES_APPLICATION
from domain.settings import Settings
from tasks._drain import settings
from tasks._registry import long_job
from tasks._smtp import send

_TEXT: Final = """\
Hello {username},

somebody, you perhaps, asked for a new password for your account. Within the next
{minutes} minutes you may choose one with

    {token}

If it was not you, do nothing: your password stays as it is.
"""


@long_job(password_resets.SEND)
def send_password_reset(
    session: Session, claim: Claim, /, *, now: datetime
) -> dict[str, Any]:
    """Send whoever has the address a token for a new password."""
    user = users.by_email(session, claim.payload["email"])
    if user is None or user.email is None:
        return {"sent": False}
    chosen = settings()
    token = password_resets.make(session, user, secret=chosen.token_secret, now=now)
    text = _TEXT.format(
        username=user.username,
        minutes=int(password_resets.GOOD_FOR.total_seconds()) // 60,
        token=_shown(token, chosen),
    )
    audit_events.record(
        session,
        action=Action.PASSWORD_RESET_SENT,
        application=PEOPLES_APPLICATION,
        actor=None,
        subject=f"user:{user.id}",
        details={},
        request_id=claim.request_id,
        now=now,
    )
    send(chosen, to=user.email, subject="A new password", text=text)
    return {"sent": True}


def _shown(token: str, chosen: Settings) -> str:
    page = chosen.password_reset_url
    if not page:
        return token
    return f"{page}{'&' if '?' in page else '?'}token={token}"
