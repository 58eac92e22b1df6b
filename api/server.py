"""How gunicorn serves the API: its settings, and what gevent needs of psycopg2.

    gunicorn --config python:api.server "api.server:application()"

gunicorn reads the lower-case names below in its master process, so nothing here may
import what gevent has yet to patch.
"""

import gc
import os
from collections.abc import Callable, Iterable
from typing import Any, Final

from gunicorn import glogging

from logconfig import configure

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
# One gevent process holds hundreds of waiting requests at the price of one thread,
# and the more requests share a flush, the cheaper each (docs/decisions/0002).
worker_class = "gevent"
workers = 1
worker_connections = 2_000
keepalive = 30
timeout = 60
graceful_timeout = 30
# It would be a file in the home directory, shared by every gunicorn of the account.
control_socket_disable = True


class Log(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own events, in the shape of all others."""

    def setup(self, cfg: Any) -> None:  # noqa: ARG002  gunicorn's signature
        """Hand gunicorn's events to the root logger."""
        configure(
            level=os.environ.get("LOG_LEVEL") or "INFO",
            style=os.environ.get("LOG_FORMAT") or "auto",
        )
        self.error_log.propagate = True

    def access(self, *_arguments: Any) -> None:
        """Leave it to the middleware, which logs each request once."""


logger_class = Log

BODY_SECONDS: Final = 15
_DRIVER_SECONDS: Final = 40
_GARBAGE: Final = (20_000, 50, 50)

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def application() -> Wsgi:
    """Return the API as gunicorn's gevent worker runs it."""
    # Only now is the standard library patched.
    import psycopg2.extensions  # noqa: PLC0415
    from gevent import Timeout  # noqa: PLC0415

    from api.app import create_app, start  # noqa: PLC0415
    from api.errors import Problem  # noqa: PLC0415

    psycopg2.extensions.set_wait_callback(_wait)
    start()
    app = create_app()
    # What was imported never becomes garbage: looking through it again and again
    # took a tenth of every request.
    gc.freeze()
    gc.set_threshold(*_GARBAGE)

    def late() -> Exception:
        detail = f"The body did not arrive within {BODY_SECONDS} seconds."
        return Problem(408, "request_timeout", detail)

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"] = _Impatient(environ["wsgi.input"], Timeout, late)
        return app(environ, start_response)

    return serve


def _wait(connection: Any) -> None:
    """Let other requests run while PostgreSQL works."""
    from gevent.socket import wait_read, wait_write  # noqa: PLC0415
    from psycopg2 import OperationalError, extensions  # noqa: PLC0415

    while (state := connection.poll()) != extensions.POLL_OK:
        wait = wait_read if state == extensions.POLL_READ else wait_write
        if state not in {extensions.POLL_READ, extensions.POLL_WRITE}:
            raise OperationalError(f"unexpected state of the connection: {state}")
        wait(
            connection.fileno(),
            timeout=_DRIVER_SECONDS,
            timeout_exc=OperationalError("the database did not answer in time"),
        )


class _Impatient:
    """A body that has to arrive in time, however slowly it is fed."""

    def __init__(self, body: Any, timeout: Any, late: Callable[[], Exception]) -> None:
        self._body = body
        self._timeout = timeout
        self._late = late

    def read(self, size: int = -1) -> bytes:
        """Read as the wrapped body does, or answer 408."""
        data: bytes | None = None
        with self._timeout(BODY_SECONDS, False):
            data = self._body.read(size)
        if data is None:
            raise self._late()
        return data
