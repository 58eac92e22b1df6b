"""A new password: with the old one, or by a mail to the address we know."""

import json
from datetime import UTC, datetime, timedelta
from typing import Final

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api.audit import note, note_of_person
from api.errors import Problem
from api.intake import Intake
from api.media import load, read_json
from api.people.bodies import PasswordBody, ResetConfirmBody, ResetRequestBody
from api.people.entrance import Entrance
from api.people.hashing import Passwords
from api.permissions import login_of, principal_of
from domain import logins, password_resets, users
from domain.audit_events import Action
from domain.ids import derived_id, uuid7
from domain.jobs import NewJob
from domain.passwords import normal, require_strong

_password_body = PasswordBody()
_request_body = ResetRequestBody()
_confirm_body = ResetConfirmBody()

_MAIL_LANE: Final = 0
_MAIL_DEADLINE: Final = timedelta(minutes=15)
_SECONDS_A_MAIL: Final = 60


class PasswordChange:
    """POST /auth/password."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        passwords: Passwords,
        entrance: Entrance,
    ) -> None:
        self._sessions = sessions
        self._passwords = passwords
        self._entrance = entrance

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Replace the caller's password, and end their other sessions."""
        body = load(_password_body, read_json(req))
        login_id, now = login_of(req), datetime.now(UTC)
        with self._sessions() as session:
            user = users.get(session, principal_of(req).id)
            if user.password_hash is None:
                logins.require_recent(session, login_id, now=now)
        shown = body.get("old_password", "")
        if user.password_hash is not None and not self._entrance.shows_password(
            req, user.username, user, shown
        ):
            raise _wrong_password()
        require_strong(normal(body["new_password"]), username=user.username)
        stored = self._passwords.hash(body["new_password"])
        with self._sessions.begin() as session:
            person = users.lock_unchanged(
                session, user.id, password_hash=user.password_hash
            )
            if person is None:
                raise _wrong_password()
            person.password_hash = stored
            logins.end_all(session, user.id, but=login_id, now=now)
            note(req, session, Action.PASSWORD_CHANGED, f"user:{user.id}")
        resp.status = falcon.HTTP_204


class ResetRequest:
    """POST /auth/password-reset/request."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Have a mail sent to the address, should it be somebody's.

        Who has it a worker finds out: the answer, and its time, are the same for all.
        """
        email = users.require_email(load(_request_body, read_json(req))["email"])
        payload = json.dumps({"email": email})
        now = datetime.now(UTC)
        minute = int(now.timestamp()) // _SECONDS_A_MAIL
        job = NewJob(
            id=uuid7(),
            kind=password_resets.SEND,
            queue=password_resets.SEND.partition(".")[0],
            lane=_MAIL_LANE,
            payload=payload,
            submitted_at=now,
            deadline=now + _MAIL_DEADLINE,
            # Whoever asks often fills nobody's mailbox.
            idempotency=derived_id(password_resets.SEND, email.lower(), minute),
            request_id=req.context.request_id,
            trace=req.context.trace,
        )
        self._intake.submit(job, len(payload))
        resp.status = falcon.HTTP_202
        resp.media = {"detail": "If this is somebody's address, a mail is on its way."}


class ResetConfirm:
    """POST /auth/password-reset/confirm."""

    def __init__(
        self, sessions: sessionmaker[Session], passwords: Passwords, secret: str
    ) -> None:
        self._sessions = sessions
        self._passwords = passwords
        self._secret = secret

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Set the password of whoever got the mail, and end all their sessions."""
        body = load(_confirm_body, read_json(req))
        token, now = body["token"], datetime.now(UTC)
        with self._sessions.begin() as session:
            user = password_resets.read(session, token, secret=self._secret, now=now)
        require_strong(normal(body["new_password"]), username=user.username)
        stored = self._passwords.hash(body["new_password"])
        with self._sessions.begin() as session:
            user = password_resets.read(
                session, token, secret=self._secret, now=now, lock=True
            )
            user.password_hash = stored
            logins.end_all(session, user.id, now=now)
            note_of_person(req, session, Action.PASSWORD_RESET, user.id, actor=user.id)
        resp.status = falcon.HTTP_204


def _wrong_password() -> Problem:
    return Problem(403, "wrong_password", "The old password is wrong.")
