"""Conventions, row "methods", over every route there is."""

import re
from uuid import UUID

import falcon
import pytest
from falcon import inspect as falcon_inspect

from api.app import create_app
from api.permissions import RULES
from domain.settings import Settings
from tests.api.calling import PROBLEM

STANDARD = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"}


def routes():
    app = create_app(Settings(database_url="postgresql://nobody/nothing"))
    for route in falcon_inspect.inspect_compiled_router(app._router):
        own = {method.method for method in route.methods if not method.internal}
        yield route.path, own & STANDARD


ROUTES = dict(routes())
GETS = sorted(path for path, methods in ROUTES.items() if "GET" in methods)
# Differ from one answer to the next, in the body and so in its length.
PASSING = {"x-request-id", "content-length", "etag"}


def fill(template):
    """Return the path of something that does not exist, of the right shape."""
    path = re.sub(r"\{\w+:uuid\}", str(UUID(int=0)), template)
    return re.sub(r"\{\w+\}", "someone", path)


def allowed(answer):
    return set(answer.headers["Allow"].split(", "))


def test_every_route_of_the_surface_is_known():
    assert set(ROUTES) >= {
        "/health",
        "/status/ready",
        "/metrics",
        "/jobs",
        "/jobs/{job_id:uuid}",
        "/jobs/{job_id:uuid}/events",
        "/jobs/{job_id:uuid}/retry",
        "/ledger",
        "/ledger/operations",
        "/ledger/batches",
        "/ledger/trial-balance",
        "/ledger/transfers",
        "/ledger/transfers/{transfer_id:uuid}",
        "/ledger/transfers/{transfer_id:uuid}/reversal",
        "/ledger/{owner_id}",
        "/ledger/{owner_id}/entries",
        "/balance/{owner_id}",
        "/content",
        "/content/{content_id:uuid}",
        "/content/{content_id:uuid}/access",
        "/api/audit/events",
        "/auth/api-keys",
        "/auth/api-keys/{key_id}",
        "/api/users/{user_id:uuid}/wallets",
        "/api/users/{user_id:uuid}/wallets/{wallet_id:uuid}",
        "/api/users/{user_id:uuid}/wallets/{wallet_id:uuid}/challenge",
        "/api/users/{user_id:uuid}/wallets/{wallet_id:uuid}/proof",
        "/api/users/{user_id:uuid}/signatures",
        "/auth/register",
        "/auth/token",
        "/auth/refresh",
        "/auth/external",
        "/auth/logout",
        "/auth/me",
        "/auth/password",
        "/auth/password-reset/request",
        "/auth/password-reset/confirm",
        "/auth/sessions",
        "/auth/sessions/{login_id:uuid}",
        "/api/users",
        "/api/users/check-username/{name}",
        "/api/users/{user_id:uuid}",
        "/api/users/{user_id:uuid}/roles",
        "/api/users/{user_id:uuid}/roles/{role}",
        "/.well-known/jwks.json",
        "/api/immune/blocklist",
        "/api/immune/blocklist/{block_id:uuid}",
        "/openapi.json",
        "/docs",
        "/apidocs",
        "/redoc",
        "/problems",
        "/problems/{code}",
    }


@pytest.mark.parametrize("route", GETS)
def test_head_is_get_without_a_body(new_caller, route):
    """RFC 9110 §9.3.2."""
    caller = new_caller(application="content")

    head, get = (caller.send(method, fill(route)) for method in ("HEAD", "GET"))

    assert (head.status_code, head.content) == (get.status_code, b"")
    assert set(head.headers) - PASSING == set(get.headers) - PASSING


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_options_says_what_is_allowed_to_anyone(stranger, route):
    """RFC 9110 §9.3.7."""
    answer = stranger.send("OPTIONS", fill(route))

    assert answer.status_code in (200, 204)
    assert allowed(answer) == ROUTES[route] | {"OPTIONS"}


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_any_other_method_is_405_with_the_same_allow(caller, route):
    """RFC 9110 §15.5.6: an origin server MUST generate Allow."""
    expected = allowed(caller.send("OPTIONS", fill(route)))

    for method in STANDARD - expected:
        answer = caller.raw(method, fill(route))
        assert (method, answer.status_code) == (method, 405)
        assert allowed(answer) == expected


@pytest.mark.parametrize("method", ["BREW", "PROPFIND", "Get", "X"])
def test_a_method_nobody_knows_is_405(caller, method):
    """RFC 9110 §9.1: methods are case-sensitive."""
    answer = caller.raw(method, "/ledger")

    assert (answer.status_code, answer.headers["Content-Type"]) == (405, PROBLEM)
    assert allowed(answer) == {"POST", "OPTIONS"}


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_a_trailing_slash_means_the_same_resource(caller, route):
    plain, slashed = (caller.send("OPTIONS", fill(route) + end) for end in ("", "/"))

    assert slashed.status_code == plain.status_code
    assert allowed(slashed) == allowed(plain)


@pytest.mark.parametrize("route", GETS)
def test_a_trailing_slash_answers_the_same(caller, route):
    plain, slashed = (caller.get(fill(route) + end) for end in ("", "/"))

    assert slashed.status_code == plain.status_code


def test_who_may_do_what_is_said_of_every_route_and_of_nothing_else():
    found = {(method, path) for path in ROUTES for method in ROUTES[path] - {"HEAD"}}

    assert found == RULES.keys()


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_a_route_is_public_only_where_it_says_so(stranger, route):
    public = {
        *("/health", "/status/ready", "/metrics", "/problems", "/problems/{code}"),
        *("/openapi.json", "/docs", "/apidocs", "/redoc", "/assets/{digest}/{file}"),
        *("/auth/register", "/auth/token", "/auth/refresh", "/auth/external"),
        *("/auth/password-reset/request", "/auth/password-reset/confirm"),
        *("/.well-known/jwks.json", "/api/users/check-username/{name}"),
    }

    statuses = {
        stranger.send(method, fill(route)).status_code for method in ROUTES[route]
    }

    assert (statuses == {401}) is (route not in public)


def test_methods_are_those_falcon_knows():
    assert set(falcon.COMBINED_METHODS) >= STANDARD
