"""One connection: its requests go to the WSGI application, its answers back.

A connection has a deadline for whatever it is doing; the worker's sweep ends those that
are past it, so that no request pays for a timer of its own.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from email.utils import formatdate
from enum import Enum
from functools import lru_cache
from http import HTTPStatus
from math import inf
from socket import SHUT_RD, SHUT_RDWR, SHUT_WR
from typing import Any, Final

import orjson
import structlog
from gevent import sleep
from gevent.monkey import get_original

from api.arrival import Arrivals, Environ, Refused, Request

_log = structlog.get_logger()

Wsgi = Callable[[Environ, Any], Iterable[bytes]]
Headers = list[tuple[str, str]]

IDLE_SECONDS: Final = 30
REQUEST_SECONDS: Final = 15
SEND_SECONDS: Final = 30
LINGER_SECONDS: Final = 5
_CHUNK: Final = 65_536
_BODILESS: Final = ("1", "204", "304")
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOO_SLOW: Final = Refused(
    408, "request_timeout", f"A request has to arrive within {REQUEST_SECONDS} seconds."
)
_CUT_SHORT: Final = Refused(
    400, "body_cut_short", "The connection ended before the body did."
)
_BUG: Final = Refused(500, "internal_error", "Something went wrong; it is in our log.")


class Stage(Enum):
    """What a connection is doing."""

    IDLE = "idle"
    RECEIVING = "receiving"
    ANSWERING = "answering"
    SENDING = "sending"


class Connection:
    """A client's connection, from its first byte to its end."""

    def __init__(self, sock: Any, base: Environ, app: Wsgi) -> None:
        self._sock = sock
        self._app = app
        self._arrivals = Arrivals(base)
        self._stopping = False
        self._expired = False
        self._begun = False
        self._stage = Stage.IDLE
        self.deadline = inf

    def serve(self) -> None:
        """Answer every request until the client or we have had enough."""
        with suppress(OSError):
            try:
                while (request := self._next()) is not None and self._answer(request):
                    pass
            except Refused as refused:
                self._refuse(refused)
            if self._arrivals.unanswered or self._stopping:
                self._linger()

    def stop(self) -> None:
        """Answer what was asked, and hear no more."""
        self._stopping = True
        if self._stage is Stage.IDLE:
            self._hang_up(SHUT_RD)

    def expire(self) -> None:
        """End what takes too long."""
        self._expired = True
        # Who sends a request too slowly is still told so.
        hearing = self._stage in {Stage.IDLE, Stage.RECEIVING}
        self._hang_up(SHUT_RD if hearing else SHUT_RDWR)

    def _next(self) -> Request | None:
        arrivals = self._arrivals
        if arrivals.ready:
            # Who asks ahead of the answers takes turns with everybody else.
            sleep(0)
        while not arrivals.ready:
            if arrivals.refused:
                raise arrivals.refused
            if arrivals.current and arrivals.current.expects:
                arrivals.current.expects = False
                self._send(_CONTINUE)
            data = self._receive()
            if not data:
                self._ended()
                return None
            arrivals.feed(data)
        return arrivals.ready.popleft()

    def _receive(self) -> bytes:
        if self._arrivals.current is None:
            self._stage = Stage.IDLE
            self.deadline = time.monotonic() + IDLE_SECONDS
            if self._stopping:
                # What has arrived is still read.
                self._hang_up(SHUT_RD)
        elif self._stage is not Stage.RECEIVING:
            self._stage = Stage.RECEIVING
            self.deadline = time.monotonic() + REQUEST_SECONDS
        data = self._read()
        # After the end that expire() makes, more may have arrived all the same.
        return b"" if self._expired else data

    def _read(self) -> bytes:
        data: bytes = self._sock.recv(_CHUNK)
        if len(data) == _CHUNK:
            # More is waiting, and so are others.
            sleep(0)
        return data

    def _ended(self) -> None:
        """Say what an end in the middle of a request deserves; mostly silence."""
        cut = self._arrivals.current
        if cut and self._expired:
            raise _TOO_SLOW
        if cut and cut.begun and not self._stopping:
            raise _CUT_SHORT

    def _answer(self, request: Request) -> bool:
        """Call the application, send what it says; return whether to go on."""
        self._stage = Stage.ANSWERING
        self.deadline = inf
        self._begun = False
        try:
            return self._call(request)
        except Exception as error:
            if self._stage is Stage.SENDING and isinstance(error, OSError):
                raise
            _log.error("answer_broken", exc_info=error)
            if self._begun:
                return False
            raise _BUG from None

    def _call(self, request: Request) -> bool:
        answer = _Answer(request)
        body = self._app(request.call(), answer.start)
        try:
            answer.go_on = request.keep_alive and not self._stopping
            if isinstance(body, list):
                self._send(answer.whole(b"".join(body)))
            else:
                for piece in answer.pieces(body):
                    self._send(piece)
        finally:
            if (close := getattr(body, "close", None)) is not None:
                close()
        return answer.go_on

    def _refuse(self, refused: Refused) -> None:
        """Answer what never became a request with a problem (RFC 9457)."""
        from api.security import OF_DATA  # noqa: PLC0415  gunicorn imports us too early
        from domain.ids import uuid7  # noqa: PLC0415  the same

        request_id = str(uuid7())
        status = HTTPStatus(refused.status)
        _log.warning("request_refused", request=request_id, error=str(refused))
        body = orjson.dumps(
            {
                "type": f"/problems/{refused.code}",
                "title": status.phrase,
                "status": refused.status,
                "instance": request_id,
                "code": refused.code,
                "detail": str(refused),
            }
        )
        headers = [
            ("Content-Type", "application/problem+json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Request-ID", request_id),
            *OF_DATA,
        ]
        head = _head(f"{refused.status} {status.phrase}", headers, go_on=False)
        self._send(head + body)

    def _send(self, data: bytes) -> None:
        self._begun = True
        self._stage = Stage.SENDING
        self.deadline = time.monotonic() + SEND_SECONDS
        # Seldom more than fits: sendall() would first ask how much does.
        sent = self._sock.send(data)
        if sent < len(data):
            self._sock.sendall(data[sent:])
        self._stage = Stage.ANSWERING
        self.deadline = inf

    def _linger(self) -> None:
        """Read what is not wanted: closed at once, the answer might be lost."""
        self.deadline = time.monotonic() + LINGER_SECONDS
        self._sock.shutdown(SHUT_WR)
        while self._read():
            pass

    def _hang_up(self, how: int) -> None:
        """Let whoever reads or writes find the end."""
        # gevent's own shutdown() would raise in it.
        with suppress(OSError):
            plain = get_original("socket", "socket")(fileno=self._sock.fileno())
            try:
                plain.shutdown(how)
            finally:
                plain.detach()


class _Answer:
    """What the application says to one request, as bytes."""

    def __init__(self, request: Request) -> None:
        self._environ = request.environ
        self.go_on = False
        self._status = ""
        self._headers: Headers = []

    def start(self, status: str, headers: Headers, _error: Any = None) -> None:
        """Take status and headers: WSGI's start_response."""
        self._status, self._headers = status, headers

    def whole(self, body: bytes) -> bytes:
        """Return head and body in one piece: one packet where they fit."""
        if self._bodiless():
            body = b""
        elif not self._measured():
            self._headers.append(("Content-Length", str(len(body))))
        return _head(self._status, self._headers, go_on=self.go_on) + body

    def pieces(self, body: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a stream's pieces, in chunks for a client that knows them."""
        bodiless, measured = self._bodiless(), self._measured()
        new = self._environ["SERVER_PROTOCOL"] == "HTTP/1.1"
        chunked = new and not bodiless and not measured
        if chunked:
            self._headers.append(("Transfer-Encoding", "chunked"))
        self.go_on = self.go_on and (chunked or bodiless)
        yield _head(self._status, self._headers, go_on=self.go_on)
        for piece in filter(None, () if bodiless else body):
            yield b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
        if chunked:
            yield b"0\r\n\r\n"

    def _bodiless(self) -> bool:
        head_only: bool = self._environ["REQUEST_METHOD"] == "HEAD"
        return head_only or self._status.startswith(_BODILESS)

    def _measured(self) -> bool:
        return any(name.lower() == "content-length" for name, _ in self._headers)


def _head(status: str, headers: Headers, *, go_on: bool) -> bytes:
    lines = [f"HTTP/1.1 {status}", *[f"{name}: {value}" for name, value in headers]]
    lines.append(f"Date: {_date(int(time.time()))}")
    lines.append("Connection: keep-alive\n\n" if go_on else "Connection: close\n\n")
    text = "\n".join(lines)
    # A line break in a header would begin another header, or the body.
    if text.count("\n") != len(lines) + 1 or "\r" in text:
        raise ValueError("a line break in a header")
    return text.replace("\n", "\r\n").encode("latin-1")


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
