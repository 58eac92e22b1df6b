"""A TCP proxy before PostgreSQL that cuts connections around their COMMIT."""

import selectors
import socket
import threading
from contextlib import suppress
from random import Random
from typing import Self

_COMMIT = b"COMMIT\0"
_CHUNK = 65_536
_ANSWER_SECONDS = 5.0
_TURN_SECONDS = 0.2


class Proxy:
    """Passes everything on; while `share` is not zero, cuts that share of COMMITs.

    Half of those it cuts never reach the server; the others do, and are answered, but
    the answer is not passed on. Their client cannot tell which.
    """

    def __init__(self, target: int, chance: Random) -> None:
        self.share = 0.0
        self.unsent = 0
        self.unanswered = 0
        self._target = target
        self._chance = chance
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._stop = threading.Event()

    @property
    def port(self) -> int:
        """Return where clients connect to."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._listener.settimeout(_TURN_SECONDS)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            with suppress(OSError):
                client, _ = self._listener.accept()
                threading.Thread(
                    target=self._serve, args=(client,), daemon=True
                ).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.create_connection(
                ("127.0.0.1", self._target), timeout=_ANSWER_SECONDS
            )
            with server:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._relay(client, server)

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while not self._stop.is_set():
                for key, _ in selector.select(_TURN_SECONDS):
                    source = client if key.data is server else server
                    data = source.recv(_CHUNK)
                    if not data or (source is client and self._cut(data, server)):
                        return
                    key.data.sendall(data)

    def _cut(self, data: bytes, server: socket.socket) -> bool:
        """Say whether to close here, perhaps after the server has committed."""
        if not data.endswith(_COMMIT) or self._chance.random() >= self.share:
            return False
        if self._chance.getrandbits(1):
            self.unsent += 1
        else:
            self.unanswered += 1
            server.sendall(data)
            server.recv(_CHUNK)
        return True
