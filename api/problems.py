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
    "body_cut_short": (400, "The body ended before its length; send it all."),
    "too_deep": (400, "The body is nested too deep; flatten it."),
    "malformed_form": (400, "Send a form's fields as name=value, joined by &."),
    "two_credentials": (400, "Send an API key or an access token, not both."),
    "unauthenticated": (401, "Send a valid API key, or a person's access token."),
    "invalid_token": (401, "Refresh the access token, or log in again."),
    "wrong_credentials": (401, "Username or password is wrong."),
    "invalid_refresh_token": (401, "The refresh token is no good; log in again."),
    "invalid_id_token": (401, "The issuer's token is no good here; get a new one."),
    "wrong_password": (403, "Send the password you have now as `old_password`."),
    "missing_scope": (403, "Use a key with the scope named by the problem."),
    "forbidden": (403, "This is for others: ask an operator."),
    "not_your_account": (403, "Use your own account; others' are theirs."),
    "blocked": (
        403,
        "Wait as long as Retry-After says, or ask an operator to lift it.",
    ),
    "wrong_application": (403, "Use a key of the application this belongs to."),
    "signature_required": (
        403,
        "Its holder demands to sign this; see Accept-Signature.",
    ),
    "invalid_signature": (403, "Sign the request as it is sent; the detail says more."),
    "stale_signature": (403, "Sign again: the time signed is too far from ours."),
    "not_found": (404, "There is nothing here, or it is not yours to see."),
    "method_not_allowed": (405, "Use one of the methods the header Allow lists."),
    "request_timeout": (408, "The request came too slowly; send it again."),
    "job_cancelled": (409, "The job was cancelled before a worker began it."),
    "precondition_failed": (412, "It has changed since you read it; read it again."),
    "body_too_large": (413, "Split the body into several requests."),
    "uri_too_long": (414, "The address is too long; ask for less in it."),
    "unsupported_media_type": (415, "Send a media type the header Accept-Post lists."),
    "unsupported_content_encoding": (415, "Send the body as it is, not compressed."),
    "invalid_body": (422, "Correct the fields `errors` points to."),
    "wrong_proof": (422, "Sign `message`, byte for byte, with this wallet's key."),
    "invalid_idempotency_key": (422, "Send a shorter key of printable characters."),
    "idempotency_key_mismatch": (422, "Send Idempotency-Key or nonce, not two keys."),
    "captcha_needed": (422, "Send `captcha`, the answer to the page's puzzle."),
    "captcha_failed": (422, "The puzzle was not solved; solve another."),
    "precondition_required": (428, "Send If-Match with the ETag you were given."),
    "rate_limited": (429, "Send less, and again no sooner than Retry-After says."),
    "login_delayed": (429, "Wait as long as Retry-After says, or reset the password."),
    "head_too_large": (431, "The header has too much in it; send fewer fields."),
    "internal_error": (500, "Something went wrong here; give us `instance`."),
    "job_failed": (500, "All attempts failed; an operator can try the job again."),
    "not_implemented": (501, "Use a method and a transfer coding of HTTP/1.1."),
    "database_unavailable": (503, "Send the request again after Retry-After."),
    "intake_full": (503, "Too many writes at once; send it again after Retry-After."),
    "logins_busy": (503, "Too many people log in at once; try again."),
    "bot_check_unavailable": (503, "The service that checks `captcha` is away."),
    "issuer_unavailable": (503, "The external issuer does not answer; try again."),
    "not_yet_stored": (503, "Send it again with the same key: it counts once."),
    "not_ready": (503, "A part of the system is away; `checks` says which."),
    "lease_expired": (500, "The worker fell silent; an operator can try it again."),
    "job_expired": (503, "No worker began the job in time; send it with a new key."),
    "unavailable": (503, "Send the request again after Retry-After."),
    "unsupported_http_version": (505, "Speak HTTP/1.1."),
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
