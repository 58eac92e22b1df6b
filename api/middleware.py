"""What happens to every request: its id, its principal, its line in the log."""

import re
import time
from typing import Any, Final, Protocol

import falcon
import structlog

from api.errors import Problem
from api.metrics import requests_seconds
from domain.ids import uuid7
from domain.keys import Principal

_log = structlog.get_logger()

_REQUEST_ID: Final = re.compile(r"[0-9A-Za-z._:~-]{1,128}")
# W3C Trace Context §3.2.2: no version ff, no id of zeros alone.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_OTHER_METHOD: Final = "other"
_NO_ROUTE: Final = "(none)"


class Authenticate(Protocol):
    """Says whose key this is, None when it is nobody's."""

    def __call__(self, text: str) -> Principal | None:
        """Look the key up."""


class RequestIdentity:
    """Gives a request its id and trace, in and out, and in every line it logs."""

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Take the caller's id when it is well formed."""
        given = req.get_header("X-Request-ID") or ""
        trace = req.get_header("traceparent") or ""
        req.context.began = time.perf_counter()
        req.context.request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid7())
        req.context.trace = trace if _TRACEPARENT.fullmatch(trace) else None
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=req.context.request_id)
        if req.context.trace:
            structlog.contextvars.bind_contextvars(trace=req.context.trace)

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        _resource: object,
        _succeeded: bool,  # noqa: FBT001  Falcon's signature
    ) -> None:
        """Send the id back and write the request's one line."""
        resp.set_header("X-Request-ID", req.context.request_id)
        if req.context.trace:
            resp.set_header("traceparent", req.context.trace)
        resp.set_header("X-Content-Type-Options", "nosniff")
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "no-store")
        seconds = time.perf_counter() - req.context.began
        route = req.uri_template or _NO_ROUTE
        # A caller may make up any number of methods; each would be kept for good.
        known = req.method in falcon.COMBINED_METHODS
        method = req.method if known else _OTHER_METHOD
        requests_seconds.labels(method, route, resp.status_code).observe(seconds)
        _log.info(
            "request",
            method=req.method,
            # Encoded, or a line break in it would write a line of the caller's own.
            path=falcon.uri.encode(req.path),
            status=resp.status_code,
            ms=round(seconds * 1000, 1),
        )


class Principals:
    """Finds out who asks; every resource needs to know unless it says `public`."""

    def __init__(self, authenticate: Authenticate) -> None:
        self._authenticate = authenticate

    def process_resource(
        self,
        req: falcon.Request,
        _resp: falcon.Response,
        resource: object,
        _params: dict[str, Any],
    ) -> None:
        """Answer 401 unless a known key came with the request."""
        if getattr(resource, "public", False) or not _answers(resource, req.method):
            return
        text = req.get_header("X-API-Key") or req.get_header("x-token")
        if not text:
            raise _unauthenticated("Send an API key in the header X-API-Key.")
        principal = self._authenticate(text)
        if principal is None:
            raise _unauthenticated(
                "This API key is unknown, expired or revoked; ask its application's "
                "operator for another."
            )
        req.context.principal = principal


def _answers(resource: object, method: str) -> bool:
    """Say whether it will be the resource that answers, not 405 or OPTIONS."""
    name = "get" if method == "HEAD" else method.lower()
    return hasattr(resource, f"on_{name}")


def _unauthenticated(detail: str) -> Problem:
    return Problem(
        401,
        "unauthenticated",
        detail,
        headers={"WWW-Authenticate": 'ApiKey realm="peoples-coin", header="X-API-Key"'},
    )


def require(req: falcon.Request, scope: str) -> Principal:
    """Return who asks, or answer 403 when their key lacks the scope."""
    principal: Principal = req.context.principal
    if scope not in principal.scopes:
        raise Problem(
            403,
            "missing_scope",
            f"This needs a key with the scope {scope}.",
            scope=scope,
        )
    return principal
