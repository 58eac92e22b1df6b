"""A load generator in a process of its own: one thread, one epoll, raw HTTP.

    python -m bench.load '{"url": …, "key": …, "connections": 256, "seconds": 8}'

Closed loop by default: every connection sends its next request when it has its
answer. With `rate`, requests are due at fixed times whatever the server does, and
latency counts from when they were due, not from when a connection was free.
"""

import json
import random
import selectors
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

_CHUNK = 65_536
_GRACE_SECONDS = 20.0


@dataclass(kw_only=True)
class Load:
    """What to send, to whom and for how long."""

    url: str
    key: str
    seconds: float
    connections: int = 256
    rate: float | None = None
    owners: int = 1_000
    batch: int = 0
    wait: int = 0
    reads: bool = False
    # Where ballots are cast, and the tokens of those who do.
    ballots: str = ""
    tokens: list[str] = field(default_factory=list)
    seed: int = 1


@dataclass(kw_only=True)
class Seen:
    """What came back; latencies in seconds, in the order of the answers.

    `began` is a time of day, to be compared with those the product wrote.
    """

    began: float = 0.0
    seconds: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)


class _Connection:
    """One keep-alive connection and the request it is waiting on."""

    __slots__ = ("buffer", "due", "socket")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=_GRACE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.due = 0.0

    def send(self, request: bytes, due: float) -> None:
        """Send one request that was due then."""
        self.due = due
        self.buffer = b""
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Read what there is; return the status once the answer is complete."""
        data = self.socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("the server closed a connection")
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self.buffer[: end + 2].lower()
        at = head.find(b"content-length:") + len(b"content-length:")
        length = int(head[at : head.index(b"\r\n", at)])
        if len(self.buffer) < end + 4 + length:
            return None
        return int(self.buffer[9:12])


def requests(load: Load) -> Callable[[], bytes]:
    """Return a function that makes the next request, of one of the owners at random."""
    chance = random.Random(load.seed)
    if load.ballots:
        return _ballots(load, chance)
    return _reads(load, chance) if load.reads else _writes(load, chance)


def _reads(load: Load, chance: random.Random) -> Callable[[], bytes]:
    """Return a function that makes the next read of a balance."""
    head = f"Host: bench\r\nX-API-Key: {load.key}\r\n\r\n"

    def request() -> bytes:
        owner = int(chance.random() * load.owners)
        return f"GET /ledger/u{owner} HTTP/1.1\r\n{head}".encode()

    return request


def _ballots(load: Load, chance: random.Random) -> Callable[[], bytes]:
    """Return a function that makes the next ballot, of one of the voters at random."""
    prefix = f"{load.seed}-{time.time_ns()}"
    heads = [
        (
            f"POST {load.ballots} HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        for token in load.tokens
    ]
    count = 0

    def request() -> bytes:
        nonlocal count
        count += 1
        choice = "no" if count % 3 == 0 else "yes"
        body = f'{{"choice":"{choice}","nonce":"{prefix}-{count}"}}'.encode()
        return b"%s%d\r\n\r\n%s" % (chance.choice(heads), len(body), body)

    return request


def _writes(load: Load, chance: random.Random) -> Callable[[], bytes]:
    """Return a function that makes the next write, each with a nonce of its own."""
    prefix = f"{load.seed}-{time.time_ns()}"
    path = "/ledger/batches" if load.batch else "/ledger"
    prefer = f"Prefer: wait={load.wait}\r\n" if load.wait else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: {load.key}\r\n"
        f"Content-Type: application/json\r\n{prefer}Content-Length: "
    ).encode()
    count = 0

    def entry() -> str:
        nonlocal count
        count += 1
        owner = int(chance.random() * load.owners)
        operation = "CREDIT_SPEND" if count % 3 == 0 else "CREDIT_ADD"
        return (
            f'{{"owner_id":"u{owner}","operation":"{operation}",'
            f'"nonce":"{prefix}-{count}"}}'
        )

    def request() -> bytes:
        body = entry()
        if load.batch:
            entries = [body, *(entry() for _ in range(load.batch - 1))]
            body = '{"entries":[' + ",".join(entries) + "]}"
        return b"%s%d\r\n\r\n%s" % (head, len(body), body.encode())

    return request


def run(load: Load) -> Seen:
    """Send the load and return what was seen."""
    parts = urlsplit(load.url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    idle = deque(_Connection(address) for _ in range(load.connections))
    selector = selectors.DefaultSelector()
    for connection in idle:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    seen = Seen(began=time.time())
    statuses: Counter[int] = Counter()
    make = requests(load)
    began = time.perf_counter()
    stop = began + load.seconds
    sent = busy = 0
    while (now := time.perf_counter()) < stop or busy:
        while idle and now < stop:
            due = began + sent / load.rate if load.rate else now
            if due > now:
                break
            idle.popleft().send(make(), due)
            sent += 1
            busy += 1
        if now > stop + _GRACE_SECONDS:
            break
        for key, _ in selector.select(timeout=0.001 if load.rate else 1.0):
            status = key.data.receive()
            if status is not None:
                seen.latencies.append(time.perf_counter() - key.data.due)
                statuses[status] += 1
                idle.append(key.data)
                busy -= 1
    seen.seconds = time.perf_counter() - began
    seen.statuses = {str(status): n for status, n in statuses.items()}
    return seen


if __name__ == "__main__":
    print(json.dumps(asdict(run(Load(**json.loads(sys.argv[1]))))))
