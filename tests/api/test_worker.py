"""gunicorn with our worker and a small application, in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import gevent
import pytest

from api import connection
from tests.end_to_end.wire import Wire, request
from tests.waiting import eventually

ROOT = Path(connection.__file__).parents[1]
SECONDS = 20
# One process that answered is then all: gunicorn's signal misses one just forked.
ONE = {"WEB_CONCURRENCY": "1"}
IDLE = "IDLE_SECONDS_OF_TEST"
GET = request("GET", "/")


def app(environ, start):
    """Say who asks; answer /wait/ and a file once that is there."""
    path = environ["PATH_INFO"]
    if path.startswith("/wait/"):
        Path(path[5:] + ".asked").touch()
        while not Path(path[5:]).exists():
            gevent.sleep(0.01)
    start("200 OK", [])
    return [f"{environ['SERVER_NAME']} {environ['REMOTE_ADDR']}".encode()]


if IDLE in os.environ:
    connection.IDLE_SECONDS = int(os.environ[IDLE])


class Client(Wire):
    """A client of a Unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        self._stream = self.socket.makefile("rb")
        try:
            self.socket.connect(path)
        except OSError:
            self.__exit__()
            raise


class Server:
    """gunicorn on a Unix socket in a folder."""

    def __init__(self, folder, **environ):
        self.path = f"{folder}/socket"
        command = ("-m", "gunicorn", "--config", "python:api.server")
        self._process = subprocess.Popen(
            (
                sys.executable,
                *command,
                "--bind",
                f"unix:{self.path}",
                f"{__name__}:app",
            ),
            cwd=ROOT,
            env={**os.environ, **ONE, "PYTHONPATH": str(ROOT), **environ},
        )
        eventually(self._listens, within=SECONDS)
        # gunicorn removes its own name for it before it stops to accept.
        os.link(self.path, f"{self.path}.too")

    def _listens(self):
        try:
            with Client(self.path):
                return True
        except OSError:
            return False

    def wire(self):
        return Client(f"{self.path}.too")

    def stop(self):
        self._process.send_signal(signal.SIGTERM)

    def ended(self):
        return self._process.wait(SECONDS)


@contextmanager
def serving(**environ):
    # A socket's path has to be short.
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, **environ)
        try:
            yield server
        finally:
            server._process.kill()
            server._process.wait()


@pytest.fixture
def server():
    with serving() as server:
        yield server


def test_a_unix_socket_is_served(server):
    with server.wire() as wire:
        status, _, body = wire.send(GET).answer()

    assert (status, body.decode()) == (200, f"{server.path} ")


def test_asked_to_stop_it_answers_and_waits_for_nobody_else(server, tmp_path):
    held = tmp_path / "held"
    with server.wire() as idle, server.wire() as busy, server.wire() as silent:
        idle.send(GET).answer()
        busy.send(request("GET", f"/wait{held}"))
        eventually(lambda: held.with_suffix(".asked").exists())

        server.stop()
        assert idle.closed()
        held.touch()

        assert busy.answer()[1]["Connection"] == "close"
        assert silent.closed()
    assert server.ended() == 0


def test_who_connects_while_it_stops_does_not_keep_it(server):
    """gunicorn accepts until it has looked, once a second, whether to stop."""
    late = ExitStack()

    def refused():
        try:
            late.enter_context(server.wire())
        except ConnectionRefusedError:
            return True

    with late:
        late.enter_context(server.wire()).send(GET).answer()
        server.stop()
        eventually(refused)

        assert server.ended() == 0


def test_an_idle_connection_is_closed_in_time():
    with serving(**{IDLE: "1"}) as server, server.wire() as wire:
        wire.send(GET).answer()

        assert wire.closed()
