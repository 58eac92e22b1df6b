"""Requests as they arrive: llhttp reads the bytes, we make WSGI's environ (PEP 3333).

llhttp, by way of httptools, refuses what RFC 9112 does; what it leaves to a server,
and every bound, is here. Nothing of the API may be imported with this: gunicorn loads
it before gevent has patched the standard library.
"""

import re
from collections import deque
from functools import lru_cache
from io import BytesIO
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import httptools

BODY_BYTES_MAX: Final = 5 * 1024 * 1024
HEAD_BYTES_MAX: Final = 32 * 1024
HEADERS_MAX: Final = 100
NAME_BYTES_MAX: Final = 256
# Of a field llhttp tells when it is whole, of a chunk's extension nothing at all.
SILENT_BYTES_MAX: Final = 64 * 1024

_VERSIONS: Final = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1"}
_BARE: Final = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})
_HOST: Final = re.compile(r"[\w.:~!$&'()*+,;=%\[\]-]*", re.ASCII)
_ABSOLUTE: Final = re.compile(rb"[A-Za-z][\w+.-]*://(?:[^/?@]*@)?([^/?]+)")

Environ = dict[str, Any]


class Refused(Exception):
    """What arrives is not a request; what to answer before hanging up."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status = status
        self.code = code
        super().__init__(detail)


class Request:
    """One request: its environ, and its body so far.

    `cut`: the rest of the body is not wanted, and the connection ends with the answer.
    """

    __slots__ = (
        "_body",
        "cut",
        "environ",
        "expects",
        "fields",
        "head_bytes",
        "keep_alive",
        "silent_bytes",
        "size",
        "target",
    )

    def __init__(self, environ: Environ) -> None:
        self.environ = environ
        self.target = b""
        self.fields = self.head_bytes = self.silent_bytes = self.size = 0
        self.cut = self.expects = self.keep_alive = False
        self._body = BytesIO()

    @property
    def begun(self) -> bool:
        """Say whether the head has arrived."""
        return "REQUEST_METHOD" in self.environ

    def add(self, name: bytes, value: bytes) -> None:
        """Take one header field."""
        self.fields += 1
        self.head_bytes += len(name) + len(value)
        if self.fields > HEADERS_MAX or self.head_bytes > HEAD_BYTES_MAX:
            raise _head_too_large()
        variable = _variable(name)
        if variable is None:
            return
        text = value.decode("latin-1").strip(" \t")
        earlier = self.environ.get(variable)
        if earlier is not None:
            if variable == "HTTP_HOST":
                raise _malformed("A request has one Host.")
            text = f"{earlier}, {text}"
        self.environ[variable] = text

    def begin(self, method: str, version: str) -> None:
        """Check the head as a whole and complete the environ."""
        environ = self.environ
        if version not in _VERSIONS:
            raise Refused(505, "unsupported_http_version", "Speak HTTP/1.1.")
        if version == "1.1" and "HTTP_HOST" not in environ:
            raise _malformed("HTTP/1.1 wants the header Host.")
        if encoding := environ.get("HTTP_TRANSFER_ENCODING"):
            _check_encoding(encoding, version)
        path, _, query = self._origin().partition(b"?")
        if not _HOST.fullmatch(environ.get("HTTP_HOST", "")):
            raise _malformed("Host names no host.")
        if b"%" in path:
            path = unquote_to_bytes(path)
        environ["SERVER_PROTOCOL"] = _VERSIONS[version]
        environ["PATH_INFO"] = path.decode("latin-1")
        environ["QUERY_STRING"] = query.decode("latin-1")
        environ["REQUEST_METHOD"] = method
        self.cut = int(environ.get("CONTENT_LENGTH") or 0) > BODY_BYTES_MAX
        expected = environ.get("HTTP_EXPECT", "").lower() == "100-continue"
        self.expects = expected and version == "1.1" and not self.cut

    def _origin(self) -> bytes:
        """Return path and query, whatever form the target has (RFC 9112 §3.2)."""
        target = self.target
        if b"#" in target:
            raise _malformed("A request's target has no fragment.")
        if target[:1] == b"/" or not (absolute := _ABSOLUTE.match(target)):
            return target
        # It says the same as Host, and wins when it does not (§3.2.2).
        self.environ["HTTP_HOST"] = absolute[1].decode("latin-1")
        rest = target[absolute.end() :]
        return rest if rest[:1] == b"/" else b"/" + rest

    def extend(self, data: bytes) -> None:
        """Take a piece of the body, no more than is needed to refuse it."""
        self.expects = False
        if self.cut:
            return
        self.size += len(data)
        self.cut = self.size > BODY_BYTES_MAX
        self._body.write(data)

    def call(self) -> Environ:
        """Return the environ with the body in it."""
        self._body.seek(0)
        self.environ["wsgi.input"] = self._body
        return self.environ


class Arrivals:
    """The requests of one connection, in order, and how what arrived ends."""

    def __init__(self, base: Environ) -> None:
        self._base = base
        self._parser = httptools.HttpRequestParser(self)
        self.ready: deque[Request] = deque()
        self.current: Request | None = None
        self.refused: Refused | None = None

    def feed(self, data: bytes) -> None:
        """Read on; what cannot be read is refused after what came before it."""
        before = self.current
        size = before.size if before else 0
        try:
            self._feed(data)
        except httptools.HttpParserCallbackError as error:
            found = error.__context__
            if not isinstance(found, Refused):
                raise
            self.refused = found
        except httptools.HttpParserInvalidMethodError:
            self.refused = Refused(501, "not_implemented", "No method has this name.")
        except httptools.HttpParserError as error:
            self.refused = _malformed(f"{error}.")
        current = self.current
        if current is not None and current is before:
            silent = 0 if current.size > size else current.silent_bytes + len(data)
            current.silent_bytes = silent
            if silent > SILENT_BYTES_MAX:
                self.refused = _head_too_large()

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                self._decline()
            else:
                return

    def _decline(self) -> None:
        """Keep to HTTP/1.1: other protocols are not taken up (RFC 9110 §7.8)."""
        self._parser = httptools.HttpRequestParser(self)
        request = self.ready[-1]
        length = int(request.environ.get("CONTENT_LENGTH") or 0)
        if "HTTP_TRANSFER_ENCODING" in request.environ:
            framing = b"Transfer-Encoding: chunked"
        elif length and not request.cut:
            framing = b"Content-Length: %d" % length
        else:
            return
        # llhttp leaves the body to the other protocol; after such a head it reads it.
        self.ready.pop()
        self._parser.feed_data(b"POST / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % framing)
        self.current = request

    @property
    def unanswered(self) -> bool:
        """Say whether the client has sent more than was answered."""
        return bool(self.ready or self.current or self.refused)

    def on_message_begin(self) -> None:
        """Begin a request; llhttp calls this and the next five."""
        self.current = Request(self._base.copy())

    def on_url(self, data: bytes) -> None:
        """Take a piece of the target."""
        request = self._open()
        request.target += data
        request.head_bytes += len(data)
        if len(request.target) > HEAD_BYTES_MAX:
            raise Refused(414, "uri_too_long", "Ask for less in the address.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, or a trailer's, which nobody needs."""
        request = self._open()
        if not request.begun:
            request.add(name, value)

    def on_headers_complete(self) -> None:
        """End the head."""
        request, parser = self._open(), self._parser
        request.begin(parser.get_method().decode(), parser.get_http_version())
        request.keep_alive = parser.should_keep_alive() and not request.cut
        if request.cut:
            self.ready.append(request)

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        request = self._open()
        wanted = not request.cut
        request.extend(data)
        if request.cut and wanted:
            request.keep_alive = False
            self.ready.append(request)

    def on_message_complete(self) -> None:
        """End the request."""
        request = self._open()
        self.current = None
        if not request.cut:
            self.ready.append(request)

    def _open(self) -> Request:
        assert self.current is not None, "llhttp begins every message"  # noqa: S101
        return self.current


@lru_cache(maxsize=1_024)
def _variable(name: bytes) -> str | None:
    """Return a field's name in the environ, if it has one of its own."""
    if len(name) > NAME_BYTES_MAX:
        raise _head_too_large()
    # There, a_b would be taken for a-b.
    if b"_" in name:
        return None
    variable = name.decode("latin-1").upper().replace("-", "_")
    return variable if variable in _BARE else f"HTTP_{variable}"


def _check_encoding(encoding: str, version: str) -> None:
    if version == "1.0":
        raise _malformed("HTTP/1.0 has no Transfer-Encoding.")
    if encoding.lower() != "chunked":
        raise Refused(501, "not_implemented", "Send the body chunked, or whole.")


def _malformed(detail: str) -> Refused:
    return Refused(400, "malformed_request", f"This is not HTTP/1.1: {detail}")


def _head_too_large() -> Refused:
    return Refused(
        431,
        "head_too_large",
        f"A head has up to {HEADERS_MAX} fields in {HEAD_BYTES_MAX} bytes, "
        f"with names up to {NAME_BYTES_MAX}.",
    )
