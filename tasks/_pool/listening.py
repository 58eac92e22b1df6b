"""The pool's socket: who may open it says one line of JSON, and is told one line."""

import fcntl
import os
import selectors
import socket
import stat
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Final

LINE_BYTES_MAX: Final = 64 * 1024
_SECONDS: Final = 2.0
_AT_ONCE: Final = 16
_BACKLOG: Final = 64
_READ_BYTES: Final = 16 * 1024
_OWNER_ONLY: Final = 0o177


class Refused(Exception):
    """The socket cannot be ours; the message says why and what to do."""


class _Conversation:
    """Somebody who has connected, and what was said."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.until = time.monotonic() + _SECONDS
        self.heard = b""
        self.unsaid = b""


class Listener:
    """Answers each line with a line; whoever is slow or talks on is hung up on."""

    def __init__(
        self,
        path: Path,
        selector: selectors.BaseSelector,
        answer: Callable[[bytes], bytes],
    ) -> None:
        self._path = path
        self._selector = selector
        self._answer = answer
        self._conversations: list[_Conversation] = []
        self._lock = _claimed(path)
        try:
            self._socket = _bound(path)
        except Refused:
            self._lock.close()
            raise
        # What is registered with a descriptor is what to call for it.
        selector.register(self._socket, selectors.EVENT_READ, self._accept)

    def wait(self, now: float) -> float | None:
        """Return the seconds until somebody has been slow; hang up on who has."""
        for late in [one for one in self._conversations if one.until <= now]:
            self._hang_up(late)
        times = [one.until - now for one in self._conversations]
        return min(times, default=None)

    def close(self) -> None:
        """Be found no more, and let another pool have the socket."""
        for one in list(self._conversations):
            self._hang_up(one)
        self._selector.unregister(self._socket)
        self._path.unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        """Close what a child has inherited, and leave the parent its own."""
        for one in self._conversations:
            one.connection.close()
        self._socket.close()
        self._lock.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:  # whoever it was is gone
            return
        connection.setblocking(False)
        if len(self._conversations) == _AT_ONCE:
            self._hang_up(self._conversations[0])
        one = _Conversation(connection)
        self._conversations.append(one)
        self._selector.register(
            connection, selectors.EVENT_READ, partial(self._read, one)
        )

    def _read(self, one: _Conversation) -> None:
        try:
            data = one.connection.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        one.heard += data
        if not data or len(one.heard) > LINE_BYTES_MAX:
            self._hang_up(one)
        elif b"\n" in one.heard:
            line, _, _ = one.heard.partition(b"\n")
            one.unsaid = self._answer(line) + b"\n"
            self._selector.modify(
                one.connection, selectors.EVENT_WRITE, partial(self._write, one)
            )

    def _write(self, one: _Conversation) -> None:
        try:
            sent = one.connection.send(one.unsaid)
        except BlockingIOError:
            return
        except OSError:
            sent = len(one.unsaid)
        one.unsaid = one.unsaid[sent:]
        if not one.unsaid:
            self._hang_up(one)

    def _hang_up(self, one: _Conversation) -> None:
        if one in self._conversations:  # not hung up on in this turn already
            self._conversations.remove(one)
            self._selector.unregister(one.connection)
            one.connection.close()


def _claimed(path: Path) -> IO[str]:
    """Hold the path for this process; the kernel lets go when it ends."""
    try:
        file = path.with_name(f"{path.name}.lock")
        lock = os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}; choose another place") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = lock.read().strip() or "?"
        lock.close()
        raise Refused(
            f"process {holder} is the pool at {path}; stop it, or choose another socket"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _bound(path: Path) -> socket.socket:
    """Listen there, in place of what a killed pool has left."""
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise Refused(f"{path} is no socket; choose another place")
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX)
    before = os.umask(_OWNER_ONLY)
    try:
        bound.bind(os.fspath(path))
    except OSError as error:  # its path is too long, for one
        bound.close()
        raise Refused(f"{path}: {error}; choose a shorter path") from None
    finally:
        os.umask(before)
    bound.listen(_BACKLOG)
    bound.setblocking(False)
    return bound
