"""HTTP as it goes over the wire, byte by byte, and clients that keep connections."""

import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

ANSWER_SECONDS = 30


class Wire:
    """One TCP connection to the API."""

    def __init__(self, api, *, seconds=ANSWER_SECONDS):
        address = urlsplit(api)
        self.socket = socket.create_connection(
            (address.hostname, address.port), timeout=seconds
        )

        self._stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._stream.close()
        self.socket.close()

    def send(self, *parts):
        """Send text or bytes as they are."""
        for part in parts:
            self.socket.sendall(
                part.encode("latin-1") if isinstance(part, str) else part
            )
        return self

    def answer(self, method="GET"):
        """Read one answer and nothing beyond it: (status, headers, body)."""
        status, headers = self._head()
        if method == "HEAD" or status in {204, 304}:
            return status, headers, b""
        if headers["Transfer-Encoding"] == "chunked":
            return status, headers, b"".join(self._chunks())
        return status, headers, self._stream.read(int(headers["Content-Length"]))

    def events(self):
        """Yield the lines of an event stream as they arrive."""
        status, headers = self._head()
        assert (status, headers["Content-Type"]) == (200, "text/event-stream")
        for chunk in self._chunks():
            yield from chunk.decode().splitlines()

    def _head(self):
        line = self._stream.readline()
        assert line.startswith(b"HTTP/1."), line
        return int(line.split()[1]), http.client.parse_headers(self._stream)

    def _chunks(self):
        while size := int(self._stream.readline(), 16):
            yield self._stream.read(size)
            self._stream.readline()
        self._stream.readline()

    def closed(self):
        """Say whether the other side has closed the connection."""
        try:
            return self._stream.read(1) == b""
        except ConnectionResetError:
            return True


def request(method, path, *headers, body=b""):
    """Return a request's bytes; its length is added when it has a body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Client:
    """The holder of a key; each thread that uses it keeps a connection of its own."""

    def __init__(self, api, key):
        self._address = urlsplit(api).netloc
        self._key = key
        self._own = threading.local()
        self._connections = []

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        for connection in self._connections:
            connection.close()

    def ask(self, method, path, body=None, **headers):
        """Return the status, the headers and what the JSON says."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self._connection()
        connection.request(
            method,
            path,
            None if body is None else json.dumps(body),
            {"X-API-Key": self._key, "Content-Type": "application/json", **named},
        )
        answer = connection.getresponse()
        said = answer.read()
        return answer.status, answer.headers, json.loads(said) if said else None

    def get(self, path):
        return self.ask("GET", path)[2]

    def done(self, path, body):
        """Send a write and wait for what becomes of it: (status, what it says)."""
        status, _, said = self.ask("POST", path, body, Prefer="wait=30")
        return status, said

    def post(self, path, body):
        """Send a write: (status, what it says, how long the answer took)."""
        began = time.monotonic()
        status, _, said = self.ask("POST", path, body)
        return status, said, time.monotonic() - began

    def balance(self, owner):
        return self.get(f"/ledger/{owner}")["balance"]

    def _connection(self):
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(
                self._address, timeout=ANSWER_SECONDS
            )
            self._connections.append(self._own.connection)
        return self._own.connection


def at_once(function, arguments, *, threads):
    """Call a function with each argument from many threads; return the answers."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, arguments))
