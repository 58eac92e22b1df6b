"""A shared cache in front of the node: what is public is not made again for a second.

As RFC 9111 lets any cache do with `Cache-Control: public, max-age=1`. Who shows a
credential, or already has an answer, is always let through.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from api.arrival import Environ
from api.connection import Headers, Wsgi
from api.observer.snapshots import FRESH_SECONDS
from domain.ids import uuid7

_OWN: Final = frozenset(
    {
        "HTTP_AUTHORIZATION",
        "HTTP_X_API_KEY",
        "HTTP_X_TOKEN",
        "HTTP_IF_NONE_MATCH",
    }
)
_KEPT_MAX: Final = 64
_ID: Final = "x-request-id"


class _Answer(NamedTuple):
    """What was answered, but for the request's id, and until when it is so."""

    status: str
    headers: Headers
    body: list[bytes]
    until: float


class Kept:
    """Answers from memory what the application answered everybody a moment ago."""

    def __init__(self, app: Wsgi, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._answers: dict[tuple[str, str], _Answer] = {}

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer as WSGI has it."""
        if environ["REQUEST_METHOD"] != "GET" or not _OWN.isdisjoint(environ):
            return self._app(environ, start_response)
        target = environ["PATH_INFO"], environ["QUERY_STRING"]
        known = self._answers.get(target)
        if known is None or known.until <= self._clock():
            return self._ask(target, environ, start_response)
        start_response(known.status, [*known.headers, (_ID, str(uuid7()))])
        return known.body

    def _ask(
        self, target: tuple[str, str], environ: Environ, start_response: Any
    ) -> Iterable[bytes]:
        started: list[tuple[str, Headers]] = []

        def start(status: str, headers: Headers, error: Any = None) -> None:
            started.append((status, headers))
            start_response(status, headers, error)

        until = self._clock() + FRESH_SECONDS
        body = self._app(environ, start)
        status, headers = started[-1]
        if isinstance(body, list) and _is_public(status, headers):
            self._keep(target, _Answer(status, _anybodys(headers), body, until))
        return body

    def _keep(self, target: tuple[str, str], answer: _Answer) -> None:
        if len(self._answers) >= _KEPT_MAX:
            self._answers.clear()
        self._answers[target] = answer


def _is_public(status: str, headers: Headers) -> bool:
    return status.startswith("200") and any(
        name.lower() == "cache-control" and value.startswith("public")
        for name, value in headers
    )


def _anybodys(headers: Headers) -> Headers:
    return [field for field in headers if field[0].lower() != _ID]
