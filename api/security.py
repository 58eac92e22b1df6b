"""What every answer tells browsers: it is what it says, and for who asked alone."""

from typing import Final

import falcon

from api.addresses import Addresses

_ALWAYS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_POLICY: Final = "Content-Security-Policy"
# A page that shows more than text sets its own.
_NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"
OF_DATA: Final = (*_ALWAYS, (_POLICY, _NOTHING))
_OF_PAGES: Final = (
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
_TRANSPORT: Final = "max-age=31536000"


class SecurityHeaders:
    """Adds them to every answer."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        _resource: object,
        _succeeded: bool,  # noqa: FBT001  Falcon's signature
    ) -> None:
        """Set what the resource has not set itself."""
        resp.set_headers(_ALWAYS)
        if resp.get_header(_POLICY) is None:
            resp.set_header(_POLICY, _NOTHING)
        if (resp.content_type or "").startswith(falcon.MEDIA_HTML):
            resp.set_headers(_OF_PAGES)
        if self._addresses.by_https(req):
            resp.set_header("Strict-Transport-Security", _TRANSPORT)
