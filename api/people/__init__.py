"""Accounts of people: how they come in, what they are, which roles they hold."""

from typing import Any

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api.intake import Intake
from api.people import external, login, new_passwords, roles, sessions, users
from api.people.bot_check import BotCheck
from api.people.entrance import Entrance
from api.people.hashing import Passwords
from api.people.jwks import Jwks
from api.people.oidc import OpenIdIssuer
from api.people.watch import LoginWatch
from api.tokens import AccessTokens
from domain.settings import Settings


def add_routes(  # noqa: PLR0913  the collaborators of the composition root
    app: falcon.App[Any, Any],
    settings: Settings,
    store: sessionmaker[Session],
    *,
    tokens: AccessTokens,
    intake: Intake,
    watch: LoginWatch,
) -> None:
    """Add everything under /auth and /api/users."""
    hasher = Passwords()
    bots = BotCheck(settings.bot_check_url, settings.bot_check_secret)
    entrance = Entrance(store, hasher, tokens, watch)
    issuer = OpenIdIssuer(settings.oidc_issuer, settings.oidc_audience)
    app.add_route("/auth/register", login.Register(store, hasher, bots))
    app.add_route("/auth/token", login.Token(entrance, bots))
    app.add_route("/auth/refresh", login.Refresh(store, entrance))
    app.add_route("/auth/logout", login.Logout(store))
    app.add_route("/auth/me", users.Me(store))
    app.add_route("/auth/sessions", sessions.Logins(store))
    app.add_route("/auth/sessions/{login_id:uuid}", sessions.LoginItem(store))
    app.add_route(
        "/auth/password", new_passwords.PasswordChange(store, hasher, entrance)
    )
    app.add_route("/auth/password-reset/request", new_passwords.ResetRequest(intake))
    app.add_route(
        "/auth/password-reset/confirm",
        new_passwords.ResetConfirm(store, hasher, settings.token_secret),
    )
    app.add_route("/auth/external", external.External(store, entrance, tokens, issuer))
    app.add_route("/.well-known/jwks.json", Jwks(tokens))
    app.add_route("/api/users", users.Users(store))
    app.add_route("/api/users/check-username/{name}", users.UsernameCheck(store))
    app.add_route("/api/users/{user_id:uuid}", users.UserItem(store))
    app.add_route("/api/users/{user_id:uuid}/roles", roles.Roles(store))
    app.add_route("/api/users/{user_id:uuid}/roles/{role}", roles.RoleItem(store))
