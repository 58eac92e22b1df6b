"""What holds for every request: it has an id, and it asks for nothing but a look."""

from typing import Final

import falcon
import structlog

from api.errors import Problem
from api.security import OF_DATA
from domain.ids import uuid7

_READ: Final = ("GET", "HEAD")
_ALLOWED: Final = ", ".join(_READ)
_READ_ONLY: Final = "This node shows and changes nothing: send GET or HEAD."


class ReadOnly:
    """Refuses every other method, whatever the path."""

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Give the request its id; answer 405 unless it reads."""
        req.context.request_id = str(uuid7())
        req.context.trace = None
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=req.context.request_id)
        if req.method not in _READ:
            raise Problem(
                405,
                "method_not_allowed",
                _READ_ONLY,
                headers={"Allow": _ALLOWED},
                # As clients of the first observability node know it.
                error="Method Not Allowed",
                message=_READ_ONLY,
            )

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        _resource: object,
        _succeeded: bool,  # noqa: FBT001  Falcon's signature
    ) -> None:
        """Send the id back; what says nothing of caches is for none."""
        resp.set_headers(OF_DATA)
        resp.set_header("X-Request-ID", req.context.request_id)
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "no-store")
