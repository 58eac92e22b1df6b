"""One request to somebody else: within a time, within a size, never redirected.

Each has a connection of its own: what was left unread would be the beginning of the
next answer. Proxies the environment names are not asked.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from http.client import HTTPException
from typing import Final, NamedTuple

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

_CONNECT_SECONDS: Final = 5.0
_PIECE_BYTES: Final = 16 * 1024

# In how many ways an exchange can fail.
FAILURES: Final = (HTTPError, HTTPException, OSError, ValueError)


class Request(NamedTuple):
    """What is asked; `path` is what stands in its first line."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


class Answer(NamedTuple):
    """What was answered; of the body, up to a byte more than was wanted."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def connection(
    scheme: str,
    host: str,
    port: int | None = None,
    *,
    address: str | None = None,
    trust: ssl.SSLContext | None = None,
) -> HTTPConnection:
    """Return a connection to be made: to the address, where one is known already.

    Whatever the address, TLS is with the host of that name.
    """
    if scheme == "http":
        return HTTPConnection(address or host, port)
    return HTTPSConnection(
        address or host, port, server_hostname=host, ssl_context=trust or _trust()
    )


def exchange(
    made: HTTPConnection, request: Request, *, seconds: float, bytes_max: int
) -> Answer:
    """Send a request and return the answer, or raise one of FAILURES."""
    deadline = time.monotonic() + seconds
    try:
        made.timeout = min(_CONNECT_SECONDS, seconds)
        made.connect()
        with _cut_at(deadline, made.sock):
            answer = _answer(made, request, seconds, bytes_max)
    except FAILURES as error:
        if time.monotonic() < deadline:
            raise
        raise TimeoutError(f"no answer within {seconds:g} s") from error
    finally:
        made.close()
    # What was cut off may look like an end.
    if time.monotonic() >= deadline:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return answer


@contextmanager
def _cut_at(deadline: float, connected: socket.socket) -> Iterator[None]:
    """Let nothing of an exchange take longer.

    A timeout of the socket is not enough: it begins anew with each byte.
    """
    # The connection's own `sock` is none once an answer is said to be its last.
    cut = threading.Timer(max(0, deadline - time.monotonic()), _cut, [connected])
    cut.daemon = True
    cut.start()
    try:
        yield
    finally:
        cut.cancel()


def _cut(connected: socket.socket) -> None:
    # Past TLS, which would take itself apart under whoever is reading.
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _answer(
    made: HTTPConnection, request: Request, seconds: float, bytes_max: int
) -> Answer:
    method, path, headers, body = request
    made.timeout = seconds
    made.request(method, path, body=body, headers=headers, preload_content=False)
    answer = made.getresponse()
    found = b""
    while len(found) <= bytes_max:
        piece = answer.read1(_PIECE_BYTES, decode_content=False)
        if not piece:
            break
        found += piece
    return Answer(answer.status, answer.headers, found[: bytes_max + 1])


@cache
def _trust() -> ssl.SSLContext:
    """Return the authorities this host trusts; to read them takes a while."""
    return ssl.create_default_context()
