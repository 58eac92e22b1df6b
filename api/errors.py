"""Problems on the wire: one table from kinds of error to status, one serializer."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import falcon
import orjson
import structlog
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.errors import DomainError

_log = structlog.get_logger()

# Passes by itself: gone, busy, or read-only for now. Any other refusal of a
# statement is a bug of ours.
DATABASE_AWAY: Final = (OperationalError, InterfaceError, InternalError, PoolTimeout)

PROBLEM_JSON: Final = "application/problem+json"

# The challenge to people (RFC 6750 §3); what is wrong comes after it.
BEARER: Final = 'Bearer realm="peoples-coin"'

STATUS_OF_KIND: Final[Mapping[str, int]] = {
    "not_found": 404,
    "forbidden": 403,
    "conflict": 409,
    "refused": 409,
    "invalid": 422,
    # What a job may also end in.
    "cancelled": 409,
    "failed": 500,
    "expired": 503,
}

_CODE_OF_STATUS: Final[Mapping[int, str]] = {
    400: "malformed_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}


# More would be no help, and a long body of faults must not make a longer answer.
FAULTS_MAX: Final = 50
_SHOWN: Final = 80


class Problem(falcon.HTTPError):
    """An error with a code for machines and fields of its own."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(status, description=detail, headers=headers)
        self.name = code
        self.fields = fields


class Unprocessable(Problem):
    """The body is JSON, but not of the shape this needs."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        errors = errors[:FAULTS_MAX]
        where = ", ".join(error["pointer"][:_SHOWN] or "/" for error in errors[:3])
        super().__init__(
            422, "invalid_body", f"Not accepted: {where}; see `errors`.", errors=errors
        )


def unavailable(code: str, detail: str, *, seconds: int = 1) -> Problem:
    """Return the 503 that says when to come back."""
    return Problem(503, code, detail, headers={"Retry-After": str(seconds)})


def body_of(
    problem: Mapping[str, Any], *, status: int, instance: str, trace: str | None = None
) -> dict[str, Any]:
    """Return problem details (RFC 9457) for a stored problem or one made here."""
    traced = {"trace": trace} if trace else {}
    return {
        "type": f"/problems/{problem['code']}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "instance": instance,
        **traced,
        **{key: value for key, value in problem.items() if key != "kind"},
    }


def serialize(
    req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError
) -> None:
    """Write any HTTP error as problem+json."""
    status = error.status_code
    code = getattr(error, "name", None) or _CODE_OF_STATUS.get(status, f"http_{status}")
    problem = {
        "code": code,
        "detail": error.description or HTTPStatus(status).description,
        **getattr(error, "fields", {}),
    }
    resp.content_type = PROBLEM_JSON
    resp.data = orjson.dumps(
        body_of(
            problem,
            status=status,
            instance=req.context.request_id,
            trace=req.context.trace,
        )
    )


def on_domain_error(
    _req: falcon.Request, _resp: falcon.Response, error: DomainError, _params: Any
) -> None:
    """Answer a domain error with the status of its kind."""
    raise Problem(STATUS_OF_KIND[error.kind], error.code, error.detail, **error.fields)


def on_database_away(
    _req: falcon.Request, _resp: falcon.Response, error: Exception, _params: Any
) -> None:
    """Answer 503 while the database cannot be reached or has no connection to spare."""
    _log.error("database_unavailable", error=repr(error))
    raise unavailable(
        "database_unavailable", "The database does not answer; try again."
    )


def on_unexpected(
    _req: falcon.Request, _resp: falcon.Response, _error: Exception, _params: Any
) -> None:
    """Answer 500 and keep the reason in the log."""
    _log.exception("unexpected_error")
    raise Problem(500, "internal_error", "Something went wrong; it is in our log.")


def install(app: falcon.App[Any, Any]) -> None:
    """Answer every error, ours or not, as problem+json."""
    app.set_error_serializer(serialize)
    app.add_error_handler(Exception, on_unexpected)
    for away in DATABASE_AWAY:
        app.add_error_handler(away, on_database_away)
    app.add_error_handler(DomainError, on_domain_error)
    app.add_error_handler(falcon.HTTPError, _as_it_is)


def _as_it_is(
    _req: falcon.Request, _resp: falcon.Response, error: falcon.HTTPError, _params: Any
) -> None:
    raise error
