"""What happens to every request: its id, its principal, its line in the log."""

import re
import time
from http import HTTPStatus
from typing import Any, Final

import falcon
import structlog

import tracing
from api import permissions
from api.credentials import Authenticate, Credentials, unauthenticated
from api.figures import observe_request
from domain.ids import uuid7

_log = structlog.get_logger()

_REQUEST_ID: Final = re.compile(r"[0-9A-Za-z._:~-]{1,128}")
# W3C Trace Context §3.2.2: no version ff, no id of zeros alone.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_OTHER_METHOD: Final = "other"
_NO_ROUTE: Final = "(none)"
# Of a request whose route is not known yet.
_SPAN: Final = "request"


class RequestIdentity:
    """Gives a request its id and trace, in and out, and in every line it logs."""

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Take the caller's id when it is well formed."""
        given = req.get_header("X-Request-ID") or ""
        trace = req.get_header("traceparent") or ""
        req.context.began = time.perf_counter()
        req.context.request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid7())
        parent = trace if _TRACEPARENT.fullmatch(trace) else None
        req.context.span = span = tracing.begin(_SPAN, kind="SERVER", parent=parent)
        req.context.trace = span.trace if span else parent
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
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "no-store")
        seconds = time.perf_counter() - req.context.began
        route = req.uri_template or _NO_ROUTE
        # A caller may make up any number of methods; each would be kept for good.
        known = req.method in falcon.COMBINED_METHODS
        method = req.method if known else _OTHER_METHOD
        observe_request(method, route, resp.status_code, seconds)
        if req.context.span is not None:
            _end(req.context.span, req, method, route, resp.status_code)
        _log.info(
            "request",
            method=req.method,
            path=_in_one_line(req.path),
            status=resp.status_code,
            ms=round(seconds * 1000, 1),
        )


def _end(
    span: tracing.Span, req: falcon.Request, method: str, route: str, status: int
) -> None:
    """End a request's span, named as OpenTelemetry names those of HTTP servers."""
    span.end(
        name=f"{method} {route}",
        failed=status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        attributes={
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "coin.request.id": req.context.request_id,
        },
    )


class Principals:
    """Finds out who asks, and whether they may (`api/permissions.py`)."""

    def __init__(self, keys: Authenticate, tokens: Authenticate | None = None) -> None:
        self._credentials = Credentials(keys, tokens)

    def process_resource(
        self,
        req: falcon.Request,
        _resp: falcon.Response,
        resource: object,
        _params: dict[str, Any],
    ) -> None:
        """Answer 401 unless a known caller sent it, 403 unless they may."""
        rule = permissions.rule_of(req)
        if rule.open or not _answers(resource, req.method):
            return
        principal = self._credentials.principal(req)
        if principal is None:
            raise unauthenticated(
                "Send an API key in the header X-API-Key, or a person's access token "
                "as Authorization: Bearer."
            )
        permissions.enforce(req, rule, principal)


def _in_one_line(path: str) -> str:
    """Encode a path with, say, a line break: it would write a line of the caller's."""
    return path if path.isprintable() else falcon.uri.encode(path)


def _answers(resource: object, method: str) -> bool:
    """Say whether it will be the resource that answers, not 405 or OPTIONS."""
    name = "get" if method == "HEAD" else method.lower()
    return hasattr(resource, f"on_{name}")
