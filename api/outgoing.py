"""What we ask of others: JSON, within a time and a size, never redirected."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import orjson

from tasks import FAILURES, Request, connection, exchange

_BYTES_MAX: Final = 256 * 1024
_HEADERS: Final = {"Accept": "application/json", "User-Agent": "peoples-coin"}
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Unanswered(Exception):
    """Nobody answered, or not with what was asked for."""


def ask(
    url: str, *, seconds: float, form: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """GET a JSON object, or POST a form for one; raise Unanswered."""
    parts = urlsplit(url)
    made = connection(parts.scheme, parts.hostname or "", parts.port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if form is None:
        request = Request("GET", path, _HEADERS)
    else:
        request = Request("POST", path, _HEADERS | _FORM, urlencode(form).encode())
    try:
        answer = exchange(made, request, seconds=seconds, bytes_max=_BYTES_MAX)
    except FAILURES as error:
        raise Unanswered(f"{type(error).__name__} from {url}") from error
    if answer.status != 200:  # noqa: PLR2004  the one status that has what we want
        raise Unanswered(f"{answer.status} from {url}")
    if len(answer.body) > _BYTES_MAX:
        raise Unanswered(f"too long an answer from {url}")
    return _object(answer.body, url)


def _object(body: bytes, url: str) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise Unanswered(f"no JSON object from {url}")
    return document
