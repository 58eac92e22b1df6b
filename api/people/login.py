"""Coming, staying and going: register, log in, refresh, log out."""

from datetime import UTC, datetime

import falcon
import structlog
from sqlalchemy.orm import Session, sessionmaker

from api.addresses import client_of
from api.audit import note, note_of_person
from api.errors import BEARER, Problem
from api.media import load, read_form, read_json, show
from api.people.bodies import RefreshBody, RegisterBody, TokenBody
from api.people.bot_check import BotCheck
from api.people.entrance import Entrance
from api.people.hashing import Passwords
from api.people.users import describe
from api.permissions import login_of, principal_of
from domain import logins, users
from domain.audit_events import Action
from domain.logins import Login, Refreshed, Reused
from domain.passwords import normal, require_strong
from domain.users import UsernameTaken

_log = structlog.get_logger()

_register_body = RegisterBody()
_token_body = TokenBody()
_refresh_body = RefreshBody()


class Register:
    """POST /auth/register."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        passwords: Passwords,
        bot_check: BotCheck,
    ) -> None:
        self._sessions = sessions
        self._passwords = passwords
        self._bot_check = bot_check

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Make an account."""
        body = load(_register_body, read_json(req))
        username, password = body["username"], body["password"]
        self._bot_check.require_person(body.get("captcha"), client_of(req))
        users.require_username(username)
        require_strong(normal(password), username=username)
        # A name that is taken is not worth a hash; no connection is held for one.
        with self._sessions() as session:
            if not users.available(session, username):
                raise UsernameTaken
        stored = self._passwords.hash(password)
        with self._sessions.begin() as session:
            user = users.create(
                session,
                username=username,
                email=body.get("email"),
                password_hash=stored,
                now=datetime.now(UTC),
            )
            note_of_person(
                req, session, Action.PERSON_REGISTERED, user.id, actor=user.id
            )
        resp.status = falcon.HTTP_201
        resp.location = f"/api/users/{user.id}"
        show(req, resp, describe(user, frozenset()))


class Token:
    """POST /auth/token."""

    def __init__(self, entrance: Entrance, bot_check: BotCheck) -> None:
        self._entrance = entrance
        self._bot_check = bot_check

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Log in with username and password."""
        form = load(_token_body, read_form(req))
        self._bot_check.require_person(form.get("captcha"), client_of(req))
        self._entrance.log_in(req, resp, form["username"], form["password"])


class Refresh:
    """POST /auth/refresh."""

    def __init__(self, sessions: sessionmaker[Session], entrance: Entrance) -> None:
        self._sessions = sessions
        self._entrance = entrance

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Exchange a refresh token for a new pair; a spent one ends its session."""
        token = load(_refresh_body, read_json(req))["refresh_token"]
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            found = logins.refresh(session, token, now=now)
            if isinstance(found, Reused):
                _note_reuse(req, session, found.login)
        if isinstance(found, Refreshed):
            self._entrance.answer(resp, found, now=now)
            return
        if isinstance(found, Reused):
            _log.warning("refresh_token_reused", login=found.login.id)
        raise Problem(
            401,
            "invalid_refresh_token",
            "This refresh token is unknown, spent or out of date; log in again.",
            headers={"WWW-Authenticate": BEARER},
        )


class Logout:
    """POST /auth/logout."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """End the session the access token is of."""
        user_id, login_id = principal_of(req).id, login_of(req)
        with self._sessions.begin() as session:
            logins.end(session, login_id, user_id=user_id, now=datetime.now(UTC))
            subject = f"user:{user_id}"
            note(req, session, Action.LOGIN_ENDED, subject, login=str(login_id))
        resp.status = falcon.HTTP_204


def _note_reuse(req: falcon.Request, session: Session, login: Login) -> None:
    """Record that two had one token; which of them showed it nobody knows."""
    user_id, ended = login.user_id, str(login.id)
    note_of_person(req, session, Action.LOGIN_REUSED, user_id, actor=None, login=ended)
