"""What the API adds to gunicorn's gevent worker, at the edge to sockets and driver.

gunicorn imports this before gevent has patched the standard library: nothing of the
API may be imported with it.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from socket import SHUT_RD
from typing import Any, Final

import orjson
from gevent import Timeout
from gevent.monkey import get_original
from gevent.socket import wait_read, wait_write
from gunicorn.workers.ggevent import GeventWorker
from psycopg2 import OperationalError, extensions

BODY_SECONDS: Final = 15
"""How long a client may take to send its body."""
_DRIVER_SECONDS: Final = 40
_BAD_HTTP: Final = (
    "malformed_request",
    "This is not HTTP as RFC 9112 writes it, or too much of it.",
)
_BUG: Final = "internal_error", "Something went wrong; it is in our log."
_STATUS: Final = slice(9, 12)

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Worker(GeventWorker):  # type: ignore[misc]
    """Sends an answer in one piece, and refuses bad HTTP with a problem.

    Asked to stop, it waits for requests, not for clients that keep a connection.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._idle: set[Any] = set()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Answer every request of one connection."""
        self._idle.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.discard(client)

    def handle_request(
        self, listener_name: Any, req: Any, sock: Any, addr: Any
    ) -> None:
        """Answer one request."""
        self._idle.discard(sock)
        whole = _Whole(sock)
        try:
            super().handle_request(listener_name, req, whole, addr)
        finally:
            whole.flush()
            self._idle.add(sock)
            if not self.alive:
                _hang_up(sock)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Finish what was asked for, and hear no more of those who ask nothing."""
        super().handle_exit(sig, frame)
        for client in self._idle:
            _hang_up(client)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        """Answer what never became a request, with gunicorn's choice of status."""
        from domain.ids import uuid7  # noqa: PLC0415  see above

        request_id = str(uuid7())
        said = _Said()
        super().handle_error(req, said, addr, exc)
        status = HTTPStatus(int(said.data[_STATUS]))
        bug = status == HTTPStatus.INTERNAL_SERVER_ERROR
        code, detail = _BUG if bug else _BAD_HTTP
        problem = {
            "type": f"/problems/{code}",
            "title": status.phrase,
            "status": status.value,
            "instance": request_id,
            "code": code,
            "detail": detail,
        }
        body = orjson.dumps(problem)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
            "Content-Type: application/problem+json\r\nCache-Control: no-store\r\n"
            f"X-Request-ID: {request_id}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        with Timeout(BODY_SECONDS, False):
            client.sendall(head.encode() + body)


def _hang_up(client: Any) -> None:
    """Let the next read find the end."""
    # gevent's own shutdown() would raise in whoever is reading.
    with suppress(OSError):
        plain = get_original("socket", "socket")(fileno=client.fileno())
        try:
            plain.shutdown(SHUT_RD)
        finally:
            plain.detach()


class _Whole:
    """Holds an answer's head back until its body comes: one packet instead of two.

    Measured: a fifth more answers a second (docs/decisions/0005).
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._head: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendall(self, data: bytes) -> None:
        """Keep the first piece, send it with the second, then everything at once."""
        if self._head is None:
            self._head = data
            return
        self._sock.sendall(self._head + data)
        self._head = b""

    def flush(self) -> None:
        """Send a head that no body followed."""
        if self._head:
            self._sock.sendall(self._head)


class _Said:
    """Takes the place of a socket to learn what would have been sent."""

    def __init__(self) -> None:
        self.data = b""

    def gettimeout(self) -> None:
        """Pretend to block."""

    def setblocking(self, _blocking: bool) -> None:  # noqa: FBT001  a socket's own
        """Stay as it is."""

    def sendall(self, data: bytes) -> None:
        """Keep what is sent."""
        self.data += data


def wait(connection: Any) -> None:
    """Let other requests run while PostgreSQL works; psycopg2's wait callback."""
    while (state := connection.poll()) != extensions.POLL_OK:
        if state not in {extensions.POLL_READ, extensions.POLL_WRITE}:
            raise OperationalError(f"unexpected state of the connection: {state}")
        ready = wait_read if state == extensions.POLL_READ else wait_write
        ready(
            connection.fileno(),
            timeout=_DRIVER_SECONDS,
            timeout_exc=OperationalError("the database did not answer in time"),
        )


def impatient(app: Wsgi) -> Wsgi:
    """Return the app with bodies that have to arrive in time, however slowly fed."""

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"] = _Impatient(environ["wsgi.input"])
        return app(environ, start_response)

    return serve


class _Impatient:
    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        """Read as the wrapped body does, or answer 408."""
        data: bytes | None = None
        with Timeout(BODY_SECONDS, False):
            data = self._body.read(size)
        if data is None:
            from api.errors import Problem  # noqa: PLC0415  see above

            detail = f"The body did not arrive within {BODY_SECONDS} seconds."
            raise Problem(408, "request_timeout", detail)
        return data
