"""Where scenarios take place: a stack of a certain kind, in a folder of its own.

Its servers are embedded, or those that are given, in a corner of its own there.
"""

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from bench.faults.lent import lent
from bench.faults.proxy import Proxy
from bench.stack import Stack, running
from cli.servers import embedded_postgres

# Few, so that a poisoned job is seen to fail; stricter for all others too.
_VARIABLES = {"ATTEMPTS_MAX": "3", "LOG_LEVEL": "INFO"}
_DISK_MEGABYTES = 400
_MOUNT_SECONDS = 10


@dataclass
class Grounds:
    """A running stack; `database` leads to the books past any proxy."""

    stack: Stack
    data: Path
    database: str
    variables: Mapping[str, str]
    proxy: Proxy | None = None

    @property
    def broker(self) -> str | None:
        """Return where doorbells go, if anywhere."""
        return self.variables.get("RABBITMQ_URL") or self.stack.redis

    def environment(self) -> dict[str, str]:
        """Return the variables of one more program of the stack."""
        return {**self.stack.environment(), **self.variables}

    def lacks(self, server: str) -> bool:
        """Say whether a server is another's, or not there at all."""
        return server not in self.stack.pids


class NoGrounds(Exception):
    """This kind of stack cannot be made here; the message says why."""


@contextmanager
def usual(folder: Path, _seed: int, given: Mapping[str, str]) -> Iterator[Grounds]:
    """Run what `coin up` runs."""
    with lent(given) as servers, _ran(folder / "usual", servers) as grounds:
        yield grounds


@contextmanager
def polling(folder: Path, _seed: int, given: Mapping[str, str]) -> Iterator[Grounds]:
    """Run without any broker."""
    brokers = {"REDIS_URL": "", "RABBITMQ_URL": ""}
    with (
        lent({**given, **brokers}) as servers,
        _ran(folder / "polling", {**servers, **brokers}) as grounds,
    ):
        yield grounds


@contextmanager
def proxied(folder: Path, seed: int, given: Mapping[str, str]) -> Iterator[Grounds]:
    """Run with a proxy that can cut connections before a database of our own."""
    home = folder / "behind"
    home.mkdir()
    with (
        embedded_postgres(home) as url,
        Proxy(urlsplit(url).port or 5432, random.Random(seed)) as proxy,
        lent({**given, "DATABASE_URL": ""}) as brokers,
        _ran(
            folder / "proxied", {**brokers, "DATABASE_URL": _at(url, proxy.port)}
        ) as grounds,
    ):
        yield replace(grounds, database=url, proxy=proxy)


@contextmanager
def small_disk(folder: Path, _seed: int, given: Mapping[str, str]) -> Iterator[Grounds]:
    """Run on a disk of a few hundred megabytes."""
    if given.get("DATABASE_URL"):
        raise NoGrounds("the disk of PostgreSQL is not this run's own")
    data = folder / "small-disk"
    with (
        _mounted(data / "postgres"),
        lent(given) as brokers,
        _ran(data, brokers) as grounds,
    ):
        yield grounds


@contextmanager
def _ran(data: Path, servers: Mapping[str, str]) -> Iterator[Grounds]:
    variables = {**_VARIABLES, **servers}
    with running(data, variables) as stack:
        yield Grounds(stack, data, stack.database, variables)


@contextmanager
def _mounted(disk: Path) -> Iterator[None]:
    disk.mkdir(parents=True)
    if shutil.which("mount") is None:
        raise NoGrounds("no program mount")
    options = ["-t", "tmpfs", "-o", f"size={_DISK_MEGABYTES}m,mode=755", "coin-faults"]
    mounted = _run(["mount", *options, str(disk)])
    if mounted.returncode:
        raise NoGrounds(f"may not mount: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        _run(["umount", "--lazy", str(disk)])


_Made = Callable[[Path, int, Mapping[str, str]], AbstractContextManager[Grounds]]
GROUNDS: dict[str, _Made] = {
    made.__name__: made for made in (usual, polling, proxied, small_disk)
}


def _at(url: str, port: int) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}"))


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, check=False, text=True, timeout=_MOUNT_SECONDS
    )
