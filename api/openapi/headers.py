"""The headers of answers: which there are, and by which rule an answer has them."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final

from api.limits import LIVENESS
from api.openapi.parameters import Parameter
from api.openapi.routes import Route

_TEXT: Final = {"type": "string"}
_REFERENCE: Final = {"type": "string", "format": "uri-reference"}
_SECONDS: Final = {"type": "integer", "minimum": 0}

# Any answer may have these: what is said of them once is enough.
ALWAYS: Final = (
    *("Cache-Control", "Content-Length", "Content-Type", "Content-Security-Policy"),
    *("Cross-Origin-Resource-Policy", "Referrer-Policy", "Strict-Transport-Security"),
    *("Cross-Origin-Opener-Policy", "Permissions-Policy", "X-Content-Type-Options"),
    *("Vary", "traceparent"),
)

_HEADERS: Final = (
    Parameter("X-Request-ID", "The request's id, yours or ours.", _TEXT, "order-17"),
    Parameter(
        "RateLimit-Policy",
        "So many (`q`) in so many seconds (`w`).",
        _TEXT,
        '"key-write";q=6000000;w=60',
    ),
    Parameter(
        "RateLimit",
        "So many left (`r`) until the window ends, in `t` seconds.",
        _TEXT,
        '"key-write";r=5999999;t=37',
    ),
    Parameter("ETag", "For If-None-Match, and for If-Match.", _TEXT, '"5f3c9a"'),
    Parameter("Location", "Where it is.", _REFERENCE, "/jobs/01990b1e"),
    Parameter("Retry-After", "Seconds to wait before asking again.", _SECONDS, 1),
    Parameter("Preference-Applied", "What shaped the answer.", _TEXT, "wait=10"),
    Parameter("Idempotency-Replayed", "`true`: sent before.", _TEXT, "true"),
    Parameter("Link", "Where to go on.", _TEXT, "</jobs?cursor=WzUsMF0>; rel=next"),
    Parameter("Content-Disposition", "The name of the file.", _TEXT, "attachment"),
    Parameter("X-Accel-Buffering", "`no`: pass on each event at once.", _TEXT, "no"),
    Parameter("WWW-Authenticate", "How to say who you are.", _TEXT, "Bearer"),
    Parameter("Allow", "The methods there are.", _TEXT, "GET, HEAD, OPTIONS"),
    Parameter("Accept-Post", "The media types there are.", _TEXT, "application/json"),
    Parameter("Accept-Encoding", "The codings there are.", _TEXT, "identity"),
    Parameter(
        "Accept-Signature",
        "The signature that is demanded (RFC 9421 §5.1).",
        _TEXT,
        'sig=("@method" "@path");created',
    ),
)
_LIMITED: Final = ("RateLimit-Policy", "RateLimit")
_OF_JOB: Final = ("Preference-Applied", "Idempotency-Replayed")

_OF_PROBLEM: Final = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate", "Accept-Signature", "Retry-After"),
    405: ("Allow",),
    415: ("Accept-Post", "Accept-Encoding"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


def components() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every header by name, as OpenAPI has it."""
    for header in _HEADERS:
        said = header.described("header")
        yield header.name, {k: said[k] for k in ("description", "schema", "example")}


def of_answer(route: Route, status: int) -> dict[str, Any]:
    """Return the headers of what is answered when nothing is wrong."""
    description = route.description
    names = ["X-Request-ID", *description.gives]
    if route.path != LIVENESS:
        names += _LIMITED
    if description.tagged and status != HTTPStatus.ACCEPTED:
        names.append("ETag")
    if status == HTTPStatus.CREATED or description.submits:
        names.append("Location")
    if description.submits:
        names += [*_OF_JOB, "Link"]
        names += ["Retry-After"] if status == HTTPStatus.ACCEPTED else []
    if "cursor" in (description.query or ()):
        names.append("Link")
    return _references(names)


def of_problem(status: int, *, submits: bool) -> dict[str, Any]:
    """Return the headers of a problem."""
    names = ["X-Request-ID", *_LIMITED, *_OF_PROBLEM.get(status, ())]
    return _references([*names, *_OF_JOB, "Link"] if submits else names)


def _references(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
