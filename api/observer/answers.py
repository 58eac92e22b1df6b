"""How the node reads a request's address and answers it."""

from typing import Final

import falcon

from api.errors import Problem
from api.observer.snapshots import FRESH_SECONDS, LIMIT_DEFAULT, LIMIT_MAX, Shown

_ANYBODYS: Final = f"public, max-age={FRESH_SECONDS:.0f}"
# Kept for the one who asked, and shown again only after asking whether it is so still.
_THEIRS: Final = "private, no-cache"
_DIGITS_MAX: Final = 9


def show(
    req: falcon.Request, resp: falcon.Response, shown: Shown, *, personal: bool = False
) -> None:
    """Answer it, or 304 to who has it: but for the time, so the tag is weak."""
    resp.set_header("Cache-Control", _THEIRS if personal else _ANYBODYS)
    resp.set_header("ETag", f'W/"{shown.tag}"')
    if {"*", shown.tag} & set(req.if_none_match or ()):
        resp.status = falcon.HTTP_304
        return
    resp.content_type = falcon.MEDIA_JSON
    resp.data = shown.body


def allow(req: falcon.Request, *names: str) -> None:
    """Answer 400 to a query parameter that means nothing here, or two things."""
    for name, value in req.params.items():
        if name not in names:
            known = ", ".join(names) or "none"
            raise _refuse(name, f"Unknown parameter; known here: {known}.")
        if isinstance(value, list):
            raise _refuse(name, "Given twice; send it once.")


def limit(req: falcon.Request) -> int:
    """Return how many items are wanted; answer 400 to what is no such number."""
    allow(req, "limit")
    text = req.get_param("limit", default=str(LIMIT_DEFAULT))
    digits = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    if not digits or not 1 <= int(text) <= LIMIT_MAX:
        raise _refuse("limit", f"A whole number from 1 to {LIMIT_MAX}.")
    return int(text)


def _refuse(name: str, detail: str) -> Problem:
    errors = [{"pointer": f"?{name}", "detail": detail}]
    return Problem(400, "invalid_query", f"?{name}: {detail}", errors=errors)
