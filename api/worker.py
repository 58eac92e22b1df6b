"""The API's gunicorn worker: greenlets that wait, a reader of HTTP that does not.

gunicorn imports this before gevent has patched the standard library: nothing of the
API's own may be imported with it.
"""

import sys
import time
from typing import Any, Final

import gevent
from gevent.socket import wait_read, wait_write
from gunicorn.workers.ggevent import GeventWorker
from psycopg2 import OperationalError, extensions

from api.connection import Connection

_DRIVER_SECONDS: Final = 40.0
_SWEEP_SECONDS: Final = 1.0


class Worker(GeventWorker):  # type: ignore[misc]
    """Serves connections of ours in gunicorn's process, sockets and signals.

    Asked to stop, it waits for requests, not for clients that keep a connection.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._connections: set[Connection] = set()

    def run(self) -> None:
        """Accept until told to stop."""
        sweep = gevent.spawn(self._sweep)
        try:
            super().run()
        finally:
            sweep.kill()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection."""
        connection = Connection(client, self._environ(listener, addr), self.wsgi)
        self._connections.add(connection)
        try:
            connection.serve()
        finally:
            self._connections.discard(connection)
            client.close()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Finish what was asked for, and hear no more of those who ask nothing."""
        super().handle_exit(sig, frame)
        for connection in list(self._connections):
            connection.stop()

    def _sweep(self) -> None:
        """End what is past its deadline."""
        while True:
            gevent.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for connection in list(self._connections):
                if connection.deadline < now:
                    connection.expire()
                if not self.alive:
                    # gunicorn accepts for up to a second more.
                    connection.stop()

    def _environ(self, listener: Any, addr: Any) -> dict[str, Any]:
        """Return what every request of a connection has in its environ."""
        # Both are text, and empty at the client's end, for a Unix socket.
        name = listener.getsockname()
        host, port = name[:2] if isinstance(name, tuple) else (name, "")
        return {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if self.cfg.is_ssl else "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": self.cfg.workers > 1,
            "wsgi.run_once": False,
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "REMOTE_ADDR": addr[0] if addr else "",
        }


def wait(connection: Any, *, seconds: float = _DRIVER_SECONDS) -> None:
    """Let other requests run while PostgreSQL works; psycopg2's wait callback."""
    while (state := connection.poll()) != extensions.POLL_OK:
        if state not in {extensions.POLL_READ, extensions.POLL_WRITE}:
            raise OperationalError(f"unexpected state of the connection: {state}")
        ready = wait_read if state == extensions.POLL_READ else wait_write
        ready(
            connection.fileno(),
            timeout=seconds,
            timeout_exc=OperationalError("the database did not answer in time"),
        )
