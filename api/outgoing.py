"""What we ask of others: within a time, within a size, never redirected."""

import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode

import orjson
import urllib3

_BYTES_MAX: Final = 256 * 1024
_PIECE_BYTES: Final = 16 * 1024
_HOSTS_MAX: Final = 10
_HEADERS: Final = {"Accept": "application/json", "User-Agent": "peoples-coin"}
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Unanswered(Exception):
    """Nobody answered, or not with what was asked for."""


def ask(
    url: str, *, seconds: float, form: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """GET a JSON object, or POST a form for one; raise Unanswered."""
    deadline = time.monotonic() + seconds
    try:
        answer = _pool().request(
            "GET" if form is None else "POST",
            url,
            body=None if form is None else urlencode(form),
            headers=_HEADERS if form is None else _HEADERS | _FORM,
            timeout=urllib3.Timeout(total=seconds),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            body = _read(answer, deadline)
        finally:
            # Not given back: what was left unread would be the next answer's beginning.
            answer.close()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise Unanswered(f"{type(error).__name__} from {url}") from error
    if answer.status != 200:  # noqa: PLR2004  the one status that has what we want
        raise Unanswered(f"{answer.status} from {url}")
    return _object(body, url)


def _read(answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    body = b""
    while piece := answer.read1(_PIECE_BYTES, decode_content=False):
        body += piece
        if len(body) > _BYTES_MAX or time.monotonic() > deadline:
            raise ValueError("too long an answer")
    return body


def _object(body: bytes, url: str) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise Unanswered(f"no JSON object from {url}")
    return document


@cache
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(num_pools=_HOSTS_MAX)
