"""Logging in with an account elsewhere: any OpenID issuer the settings name."""

from datetime import UTC, datetime
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api.audit import note_of_person
from api.credentials import bearer_token, invalid_token
from api.media import load, read_json
from api.openapi.describing import describes
from api.people.bodies import ExternalBody
from api.people.entrance import Entrance, device, note_login
from api.people.oidc import OpenIdIssuer
from api.shapes.people import Tokens
from api.tokens import AccessTokens
from domain import external_identities, logins
from domain.audit_events import Action
from domain.external_identities import Identity

_body = ExternalBody()


class External:
    """POST /auth/external."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        entrance: Entrance,
        tokens: AccessTokens,
        issuer: OpenIdIssuer,
    ) -> None:
        self._sessions = sessions
        self._entrance = entrance
        self._tokens = tokens
        self._issuer = issuer

    @describes(
        {200: Tokens, 201: Tokens, 204: None},
        body=ExternalBody,
        refuses=[
            *("invalid_id_token", "invalid_token", "login_too_old", "not_found"),
            *("username_needed", "invalid_username", "username_taken", "email_taken"),
            *("identity_taken", "issuer_unavailable"),
        ],
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Log in; sent with an access token, link the identity to its account."""
        body = load(_body, read_json(req))
        identity = self._issuer.identify(body["id_token"], nonce=body.get("nonce"))
        token = bearer_token(req)
        if token is None:
            self._log_in(req, resp, identity, body.get("username"))
        else:
            self._link(req, identity, token)
            resp.status = falcon.HTTP_204

    def _log_in(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        identity: Identity,
        username: str | None,
    ) -> None:
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            user = external_identities.find(session, identity)
            if user is None:
                user = external_identities.create(
                    session, identity, username=username, now=now
                )
                resp.status = falcon.HTTP_201
                resp.location = f"/api/users/{user.id}"
                _note(req, session, Action.PERSON_REGISTERED, user.id, identity)
            begun = logins.start(session, user.id, device=device(req), now=now)
            note_login(req, session, begun.login, issuer=identity.issuer)
        self._entrance.answer(resp, begun, now=now)

    def _link(self, req: falcon.Request, identity: Identity, token: str) -> None:
        principal = self._tokens(token)
        if principal is None or principal.session is None:
            raise invalid_token()
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            # A token that was stolen must not open the account for good.
            logins.require_recent(session, principal.session, now=now)
            if external_identities.link(session, identity, principal.id, now=now):
                _note(req, session, Action.IDENTITY_LINKED, principal.id, identity)


def _note(
    req: falcon.Request,
    session: Session,
    action: Action,
    user_id: UUID,
    identity: Identity,
) -> None:
    issuer = identity.issuer
    note_of_person(req, session, action, user_id, actor=user_id, issuer=issuer)
