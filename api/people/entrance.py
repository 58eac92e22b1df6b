"""How people come in: a password is shown, a login begins, two tokens are given."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import falcon
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from api.addresses import address_of
from api.audit import note_of_person
from api.errors import BEARER, Problem
from api.people.hashing import Passwords
from api.people.watch import LoginWatch
from api.tokens import ACCESS_TOKEN_LIFE, AccessTokens
from domain import logins, users
from domain.audit_events import Action
from domain.logins import DEVICE_LENGTH_MAX, Login, Refreshed
from domain.users import User

# A crash may take the last second of it, which is no harm: nobody was let in.
_WAIT_FOR_NO_DISK: Final = sa.text("SET LOCAL synchronous_commit = off")
_NOBODY: Final = UUID(int=0)


class Entrance:
    """Looks at passwords, and answers with tokens."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        passwords: Passwords,
        tokens: AccessTokens,
        watch: LoginWatch,
    ) -> None:
        self._sessions = sessions
        self._passwords = passwords
        self._tokens = tokens
        self._watch = watch

    def log_in(
        self, req: falcon.Request, resp: falcon.Response, username: str, password: str
    ) -> None:
        """Begin a login, or answer 401, taking as long for a name nobody has."""
        with self._sessions() as session:
            user = users.by_username(session, username)
        if not self.shows_password(req, username, user, password):
            raise wrong_credentials()
        assert user is not None, "nobody's password is never right"  # noqa: S101
        stored = str(user.password_hash)
        renewed = stored
        if self._passwords.outdated(stored):
            renewed = self._passwords.hash(password)
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            person = users.lock_unchanged(session, user.id, password_hash=stored)
            if person is None:
                raise wrong_credentials()
            person.password_hash = renewed
            begun = logins.start(session, person.id, device=device(req), now=now)
            note_login(req, session, begun.login)
        self.answer(resp, begun, now=now)

    def shows_password(
        self, req: falcon.Request, username: str, user: User | None, password: str
    ) -> bool:
        """Say whether this is the person's password, and tell who watches."""
        address = address_of(req)
        self._watch.before(username, address)
        stored = user.password_hash if user else None
        if self._passwords.verify(stored, password):
            self._watch.succeeded(username, address)
            return True
        self._watch.failed(username, address)
        self._note_failure(req, user)
        return False

    def _note_failure(self, req: falcon.Request, user: User | None) -> None:
        """Record a wrong password; for a name nobody has, do the same and undo it.

        What was typed for a name is not kept: now and then it is a password. No more is
        recorded than who watches lets pass.
        """
        opened: AbstractContextManager[Session] = (
            self._sessions() if user is None else self._sessions.begin()
        )
        with opened as session:
            session.execute(_WAIT_FOR_NO_DISK)
            note_of_person(
                req,
                session,
                Action.LOGIN_FAILED,
                _NOBODY if user is None else user.id,
                actor=None,
                path=req.path,
            )
            session.flush()

    def answer(self, resp: falcon.Response, begun: Refreshed, *, now: datetime) -> None:
        """Answer with both tokens of a login."""
        login = begun.login
        access = self._tokens.make(user_id=login.user_id, login_id=login.id, now=now)
        resp.media = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": int(ACCESS_TOKEN_LIFE.total_seconds()),
            "refresh_token": begun.token,
        }


def device(req: falcon.Request) -> str | None:
    """Return what a person will know the device by in the list of their sessions."""
    said = "".join(filter(str.isprintable, req.user_agent or ""))
    return said[:DEVICE_LENGTH_MAX] or None


def note_login(
    req: falcon.Request, session: Session, login: Login, **details: str
) -> None:
    """Record that a login began."""
    user_id, begun = login.user_id, str(login.id)
    note_of_person(
        req,
        session,
        Action.LOGIN_SUCCEEDED,
        user_id,
        actor=user_id,
        login=begun,
        **details,
    )


def wrong_credentials() -> Problem:
    """Return the 401 that does not say what was wrong."""
    return Problem(
        401,
        "wrong_credentials",
        "Username or password is wrong.",
        headers={"WWW-Authenticate": BEARER},
    )
