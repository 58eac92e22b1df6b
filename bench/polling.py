"""Those who poll the observability node: all its addresses at once, at fixed times."""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PATHS = (
    "/health",
    "/api/system_state",
    "/api/controller_decisions",
    "/api/governance_state",
    "/api/audit_summary",
)
_SECONDS = 10.0
_CHUNK = 65_536
_NICE = 10


@dataclass
class Polled:
    """What came back, and how many seconds after it was asked for."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)


@contextmanager
def polling(url: str, rate: float, paths: Sequence[str] = PATHS) -> Iterator[Polled]:
    """Send so many requests a second for as long as the block lasts.

    As a page that shows all of it does: every path at the same moment, each on a
    connection of its own.
    """
    polled, stop = Polled(), threading.Event()
    pause = len(paths) / rate
    thread = threading.Thread(target=_poll, args=(url, paths, pause, polled, stop))
    thread.start()
    try:
        yield polled
    finally:
        stop.set()
        thread.join()


def _poll(
    url: str, paths: Sequence[str], pause: float, polled: Polled, stop: threading.Event
) -> None:
    # Elsewhere they would take no part of these processors.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    with ExitStack() as held:
        asking = [
            (
                held.enter_context(socket.create_connection(address, _SECONDS)),
                f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode(),
            )
            for path in paths
        ]
        due = time.perf_counter()
        while not stop.is_set():
            # Not the event's own wait: that takes longer than a poll should.
            time.sleep(max(0.0, due - time.perf_counter()))
            asked = time.perf_counter()
            for connection, request in asking:
                connection.sendall(request)
            for connection, _ in asking:
                polled.statuses[_answer(connection)] += 1
                polled.latencies.append(time.perf_counter() - asked)
            due += pause


def _answer(connection: socket.socket) -> int:
    """Read one answer; return its status."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _receive(connection)
    head = data[:end].lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    while len(data) < end + 4 + length:
        data += _receive(connection)
    return int(data[9:12])


def _receive(connection: socket.socket) -> bytes:
    data = connection.recv(_CHUNK)
    if not data:
        raise ConnectionError("the node closed a connection")
    return data
