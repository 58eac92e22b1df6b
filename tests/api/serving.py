"""A connection served over TCP, and applications of a few lines to serve on it."""

import socket
import threading
import time

from api.connection import Connection
from tests.end_to_end.wire import Wire, request
from tests.waiting import eventually

SECONDS = 10
CHUNKED = "Transfer-Encoding: chunked"
GET = request("GET", "/")
MORE_THAN_FITS = b"a" * 64 * 2**20


class Served(Wire):
    """A client's end of a connection, and the connection."""

    def __init__(self, app):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.socket = socket.create_connection(listener.getsockname(), SECONDS)
            self._ours, _ = listener.accept()
        self._stream = self.socket.makefile("rb")
        self.connection = Connection(self._ours, {}, app)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        with self._ours:
            self.connection.serve()

    def __exit__(self, *error):
        super().__exit__(*error)
        assert self.ended()

    def ended(self):
        """Say whether the connection has come to its end by itself."""
        self._thread.join(SECONDS)
        return not self._thread.is_alive()

    def all(self):
        """Read until the end; one that is no reset."""
        return self._stream.read()

    def sweep(self):
        """Do what the worker does, once it is due."""
        eventually(lambda: self.connection.deadline < time.monotonic())
        self.connection.expire()

    def in_stage(self, stage):
        eventually(lambda: self.connection._stage is stage)
        return self


def answering(body, *headers, status="200 OK"):
    """Return an application that says the same to everyone."""

    def app(_environ, start):
        start(status, list(headers))
        return body

    return app


def echo(environ, start):
    start("200 OK", [])
    return [environ["PATH_INFO"].encode(), environ["wsgi.input"].read()]


class Held:
    """An application that answers when it may."""

    def __init__(self):
        self.may = threading.Event()
        self.calls = 0

    def __call__(self, environ, start):
        self.calls += 1
        assert self.may.wait(SECONDS)
        return echo(environ, start)


class Body:
    """An iterable that is no list, and remembers that it was closed."""

    def __init__(self, *pieces):
        self._pieces = pieces
        self.closed = threading.Event()

    def __iter__(self):
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self):
        self.closed.set()
