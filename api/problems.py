"""What the `type` of a problem leads to: a page for people (RFC 9457 §3.1.1)."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final

import falcon

from api.errors import STATUS_OF_KIND
from domain.errors import DomainError

# Those that are found at the edge; the domain's errors explain themselves.
_FOUND_HERE: Final[Mapping[str, tuple[int, str]]] = {
    "malformed_request": (400, "The request is not HTTP as this server reads it."),
    "malformed_json": (400, "The body is not JSON; the detail says where."),
    "duplicate_name": (400, "An object of the body has a name twice; keep one."),
    "body_cut_short": (400, "The body ended before its Content-Length; send it all."),
    "too_deep": (400, "The body is nested too deep; flatten it."),
    "unauthenticated": (401, "Send a valid API key in the header X-API-Key."),
    "missing_scope": (403, "Use a key with the scope named by the problem."),
    "wrong_application": (403, "Use a key of the application this belongs to."),
    "not_found": (404, "There is nothing here, or it is not yours to see."),
    "method_not_allowed": (405, "Use one of the methods the header Allow lists."),
    "request_timeout": (408, "The body came too slowly; send it again."),
    "job_cancelled": (409, "The job was cancelled before a worker began it."),
    "body_too_large": (413, "Split the body into several requests."),
    "unsupported_media_type": (415, "Send a media type the header Accept-Post lists."),
    "invalid_body": (422, "Correct the fields `errors` points to."),
    "invalid_idempotency_key": (422, "Send a shorter key of printable characters."),
    "idempotency_key_mismatch": (422, "Send Idempotency-Key or nonce, not two keys."),
    "internal_error": (500, "Something went wrong here; give us `instance`."),
    "job_failed": (500, "All attempts failed; an operator can try the job again."),
    "database_unavailable": (503, "Send the request again after Retry-After."),
    "intake_full": (503, "Too many writes at once; send it again after Retry-After."),
    "not_yet_stored": (503, "Send it again with the same key: it counts once."),
    "not_ready": (503, "A part of the system is away; `checks` says which."),
    "lease_expired": (500, "The worker fell silent; an operator can try it again."),
    "job_expired": (503, "No worker began the job in time; send it with a new key."),
    "unavailable": (503, "Send the request again after Retry-After."),
}

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{code}</title>
<h1>{status} {title}: <code>{code}</code></h1>
<p>{help}</p>
</html>
"""


class ProblemPages:
    """GET /problems/{code}."""

    public = True

    def __init__(self) -> None:
        found = {error.code: error for error in _below(DomainError)}
        explained = {
            code: (STATUS_OF_KIND[error.kind], error.__doc__ or "")
            for code, error in found.items()
        }
        self._known = {**explained, **_FOUND_HERE}

    def on_get(self, _req: falcon.Request, resp: falcon.Response, code: str) -> None:
        """Explain one kind of problem."""
        if code not in self._known:
            raise falcon.HTTPNotFound(description="No problem has this code.")
        status, explanation = self._known[code]
        resp.content_type = falcon.MEDIA_HTML
        resp.text = _PAGE.format(
            code=code, status=status, title=HTTPStatus(status).phrase, help=explanation
        )


def _below(error: type[DomainError]) -> Iterator[type[DomainError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from _below(kind)
