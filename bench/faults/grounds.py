"""Where scenarios take place: a stack of a certain kind, in a folder of its own."""

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

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
    proxy: Proxy | None = None


class NoGrounds(Exception):
    """This kind of stack cannot be made here; the message says why."""


@contextmanager
def usual(folder: Path, _seed: int) -> Iterator[Grounds]:
    """Run what `coin up` runs."""
    data = folder / "usual"
    with running(data, _VARIABLES) as stack:
        yield Grounds(stack, data, stack.database)


@contextmanager
def polling(folder: Path, _seed: int) -> Iterator[Grounds]:
    """Run without any broker."""
    data = folder / "polling"
    with running(data, {**_VARIABLES, "REDIS_URL": "", "RABBITMQ_URL": ""}) as stack:
        yield Grounds(stack, data, stack.database)


@contextmanager
def proxied(folder: Path, seed: int) -> Iterator[Grounds]:
    """Run with a proxy before the database that can cut connections."""
    data = folder / "proxied"
    home = folder / "behind"
    home.mkdir()
    with (
        embedded_postgres(home) as url,
        Proxy(urlsplit(url).port or 5432, random.Random(seed)) as proxy,
        running(data, {**_VARIABLES, "DATABASE_URL": _at(url, proxy.port)}) as stack,
    ):
        yield Grounds(stack, data, url, proxy)


@contextmanager
def small_disk(folder: Path, _seed: int) -> Iterator[Grounds]:
    """Run on a disk of a few hundred megabytes."""
    data = folder / "small-disk"
    disk = data / "postgres"
    disk.mkdir(parents=True)
    if shutil.which("mount") is None:
        raise NoGrounds("no program mount")
    options = ["-t", "tmpfs", "-o", f"size={_DISK_MEGABYTES}m,mode=755", "coin-faults"]
    mounted = _run(["mount", *options, str(disk)])
    if mounted.returncode:
        raise NoGrounds(f"may not mount: {mounted.stderr.strip()}")
    try:
        with running(data, _VARIABLES) as stack:
            yield Grounds(stack, data, stack.database)
    finally:
        _run(["umount", "--lazy", str(disk)])


GROUNDS: dict[str, Callable[[Path, int], AbstractContextManager[Grounds]]] = {
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
