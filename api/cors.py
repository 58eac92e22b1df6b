"""Cross-origin requests: pages of the origins named may call, and of no others.

Who calls is said by a header, never by a cookie: credentials are not allowed here.
"""

from typing import Final

import falcon

_SECONDS: Final = "7200"
_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
_HEADERS: Final = ", ".join(
    (
        *("Authorization", "Content-Type", "Idempotency-Key", "If-Match"),
        *("If-None-Match", "Last-Event-ID", "Prefer", "X-API-Key", "X-Request-ID"),
        "traceparent",
    )
)
_EXPOSED: Final = ", ".join(
    (
        *("ETag", "Idempotency-Replayed", "Link", "Location", "Preference-Applied"),
        *("RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"),
    )
)
_PREFLIGHT: Final = (
    ("Access-Control-Allow-Methods", _METHODS),
    ("Access-Control-Allow-Headers", _HEADERS),
    ("Access-Control-Max-Age", _SECONDS),
)
_VARY_OF_PREFLIGHT: Final = (
    "Access-Control-Request-Method, Access-Control-Request-Headers"
)


class Cors:
    """Tells browsers what pages of these origins may do."""

    def __init__(self, origins: str) -> None:
        self._origins = frozenset(origin.strip() for origin in origins.split(","))

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer a preflight; it asks on behalf of a page and shows no credential."""
        if req.method != "OPTIONS" or self._origin(req) is None:
            return
        if "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in req.env:
            resp.set_headers(_PREFLIGHT)
            resp.append_header("Vary", _VARY_OF_PREFLIGHT)
            resp.status = falcon.HTTP_204
            resp.complete = True

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        _resource: object,
        _succeeded: bool,  # noqa: FBT001  Falcon's signature
    ) -> None:
        """Let pages of an origin named read the answer; caches keep them apart."""
        resp.append_header("Vary", "Origin")
        if origin := self._origin(req):
            resp.set_header("Access-Control-Allow-Origin", origin)
            resp.set_header("Access-Control-Expose-Headers", _EXPOSED)

    def _origin(self, req: falcon.Request) -> str | None:
        origin: str | None = req.env.get("HTTP_ORIGIN")
        return origin if origin in self._origins else None
