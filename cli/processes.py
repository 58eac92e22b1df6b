"""Programs the `coin` command runs as children: how each starts, and how it ends."""

import ctypes
import fcntl
import os
import pwd
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import IO, Any, Final

import click
import psutil

LOOPBACK: Final = "127.0.0.1"
POLL_SECONDS: Final = 0.01
_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

# Below those the system gives to outgoing connections: one of them would be taken
# before the server we chose it for has bound it.
_PORTS: Final = range(20_000, 32_000)
_PORT_TRIES: Final = 100


class DirectoryInUse(click.ClickException):
    """Another process runs on the same data directory."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A command, and the signals that end it: kindly, by force, or as an orphan."""

    role: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop: Signals = signal.SIGTERM
    kill: Signals = signal.SIGKILL
    orphaned: Signals = signal.SIGKILL
    grace_seconds: float = 15.0
    nice: int = 0
    # What a killed one leaves behind finishes what it has in hand, and ends by itself.
    spares_its_own: bool = False

    def start(self, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """Start in a process group of its own, so that Ctrl-C reaches us alone."""
        return subprocess.Popen(
            self.command,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=self._prepare,  # noqa: PLW1509  two system calls
            **identity(self.user),
        )

    def _prepare(self) -> None:
        """Be as polite as wanted, and end with the parent."""
        os.nice(self.nice)
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(self.orphaned))


def end(program: Program, process: subprocess.Popen[bytes]) -> None:
    """Ask a process to stop, and insist when its grace is over."""
    process.send_signal(program.stop)
    for harder in (program.kill, signal.SIGKILL):
        try:
            process.wait(program.grace_seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(harder)
        else:
            return
    process.wait(program.grace_seconds)


def identity(user: str | None) -> dict[str, Any]:
    """Return what makes subprocess run a command as that account and nothing more."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold a directory for this process; the kernel lets go when the process ends."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise DirectoryInUse(
                f"{folder} is in use by process {lock.read().strip() or '?'}; "
                "stop it, or choose another directory with --data"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def free_port(wanted: int = 0) -> int:
    """Return a loopback port nothing listens on: the wanted one, or any."""
    if wanted:
        _bind(wanted)
        return wanted
    for _ in range(_PORT_TRIES):
        port = secrets.choice(_PORTS)
        with suppress(OSError):
            _bind(port)
            return port
    raise OSError(f"no port free after {_PORT_TRIES} tries")


def _bind(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))


def stop_leftovers(name: str, folder: Path, *, stop: Signals, seconds: float) -> None:
    """End the servers a killed run left in their directory; we hold its claim."""
    deadline = time.monotonic() + seconds
    asked: set[int] = set()
    while found := _running_in(name, folder):
        late = time.monotonic() > deadline
        for process in found:
            if late or process.pid not in asked:
                asked.add(process.pid)
                with suppress(psutil.NoSuchProcess):  # it may go any moment
                    process.send_signal(signal.SIGKILL if late else stop)
        time.sleep(POLL_SECONDS)


def _running_in(name: str, folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == name and Path(process.cwd()) == folder:
                found.append(process)
        except psutil.Error:  # gone, a zombie, or not ours to look at
            continue
    return found
