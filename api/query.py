"""Query parameters and pages: bad ones are 422, cursors are opaque."""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import falcon
import orjson

from api.errors import Unprocessable
from domain.pages import Page, Position

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
WAIT_SECONDS_MAX: Final = 30
_VERSION_DIGITS: Final = 18


def refuse(name: str, detail: str) -> Unprocessable:
    """Return the 422 for one query parameter."""
    return Unprocessable([{"pointer": f"?{name}", "detail": detail}])


def allow(req: falcon.Request, *names: str) -> None:
    """Answer 422 for a query parameter that means nothing here, or two things."""
    for name in req.params:
        if name not in names:
            known = ", ".join(names) or "none"
            raise refuse(name, f"Unknown parameter; known here: {known}.")
        if isinstance(req.params[name], list):
            raise refuse(name, "Given twice; send it once.")
        if "\0" in req.params[name]:
            raise refuse(name, "The character NUL is in no name.")


def limit(req: falcon.Request) -> int:
    """Return how many items a page has."""
    text = req.get_param("limit")
    if text is None:
        return LIMIT_DEFAULT
    number = _integer(text)
    if number is None or not 1 <= number <= LIMIT_MAX:
        raise refuse("limit", f"A whole number from 1 to {LIMIT_MAX}.")
    return number


def wait_seconds(req: falcon.Request) -> int:
    """Return how long the caller would wait for a job to finish."""
    text = req.get_param("wait")
    if text is None:
        return 0
    number = _integer(text)
    if number is None or not 0 <= number <= WAIT_SECONDS_MAX:
        raise refuse("wait", f"Whole seconds from 0 to {WAIT_SECONDS_MAX}.")
    return number


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004  no number here needs ten digits


def version(req: falcon.Request, name: str) -> int:
    """Return a version, 0 where none is given."""
    text = req.get_param(name) or "0"
    if not text.isascii() or not text.isdigit() or len(text) > _VERSION_DIGITS:
        raise refuse(name, "A whole number, as a balance's `version` is.")
    return int(text)


def instant(req: falcon.Request, name: str) -> datetime | None:
    """Return a time with its zone."""
    text = req.get_param(name)
    if text is None:
        return None
    try:
        # A plus sign that was not escaped arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise refuse(name, "A time with its zone, such as 2026-11-20T21:50:00Z.")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise refuse(name, "A time between the years 1 and 9999.") from None


def one_of(req: falcon.Request, name: str, *words: str) -> str | None:
    """Return a parameter that is one of a few words."""
    text = req.get_param(name)
    if text is not None and text not in words:
        raise refuse(name, f"One of {', '.join(words)}.")
    return text


def identity(req: falcon.Request, name: str) -> UUID | None:
    """Return a parameter that is an id."""
    text = req.get_param(name)
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise refuse(name, "An id, which is a UUID.") from None


def start(req: falcon.Request, read_key: Callable[[Any], Any]) -> Position | None:
    """Return where the page starts, from the cursor a page before gave."""
    text = req.get_param("cursor")
    if text is None:
        return None
    try:
        key, back = orjson.loads(base64.b64decode(text.encode(), b"-_", validate=True))
        return Position(read_key(key), back=bool(back))
    except (ValueError, TypeError, binascii.Error):
        raise refuse("cursor", "Use a cursor of a page as it was given.") from None


def whole(key: Any) -> int:
    """Read a cursor's key that is a version."""
    if type(key) is not int or not 0 <= key < 2**63:
        raise ValueError("not a version")
    return key


def uuid(key: Any) -> UUID:
    """Read a cursor's key that is an id."""
    return UUID(str(key))


def page(
    req: falcon.Request,
    resp: falcon.Response,
    name: str,
    found: Page[Any],
    describe: Callable[[Any], Any],
) -> None:
    """Answer a page and where its neighbours are, in the body and as links."""
    links = {"next": _link(req, found.next), "prev": _link(req, found.prev)}
    for relation, target in links.items():
        if target is not None:
            resp.append_link(target, relation)
    resp.media = {name: [describe(item) for item in found.items], **links}


def _link(req: falcon.Request, position: Position | None) -> str | None:
    if position is None:
        return None
    key = position.key if isinstance(position.key, int) else str(position.key)
    cursor = base64.urlsafe_b64encode(orjson.dumps([key, int(position.back)]))
    query = {**req.params, "cursor": cursor.decode()}
    return f"{falcon.uri.encode(req.path)}?{urlencode(query)}"
