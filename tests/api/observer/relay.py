"""A relay before a server that can be frozen: it then passes on nothing, and closes
nothing, as a machine that hangs."""

import selectors
import socket
import threading
from contextlib import suppress

CHUNK = 65_536
TURN_SECONDS = 0.05


class Relay:
    """Passes on what comes, both ways, unless it is frozen."""

    def __init__(self, host, port):
        self.connections = 0
        self._target = host, port
        self._flowing = threading.Event()
        self._flowing.set()
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TURN_SECONDS)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def port(self):
        return self._listener.getsockname()[1]

    def freeze(self):
        self._flowing.clear()

    def thaw(self):
        self._flowing.set()

    def close(self):
        self._stop.set()
        self.thaw()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self):
        while not self._stop.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(client,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client):
        with client, suppress(OSError):
            self._flowing.wait()
            with socket.create_connection(self._target) as server:
                self._pass_on(client, server)

    def _pass_on(self, client, server):
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while not self._stop.is_set():
                for key, _ in selector.select(TURN_SECONDS):
                    self._flowing.wait()
                    data = key.fileobj.recv(CHUNK)
                    if not data:
                        return
                    key.data.sendall(data)
