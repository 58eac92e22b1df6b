"""The loop: signals, the socket, and members that are forked, ended and buried."""

import gc
import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

from tasks._pool.forking import HANDLED, fork
from tasks._pool.listening import Listener
from tasks._pool.members import Members, Places
from tasks._pool.programs import Program

SIZE_MAX: Final = 100
_WAKE_BYTES: Final = 4_096
# As waitpid says it.
_NONE_ENDED: Final = (0, 0)


class _BadRequest(Exception):
    """What was said on the socket cannot be done; the message says why."""


class Pool:
    """Members of several groups; `sized` are those whose size may be told."""

    def __init__(
        self,
        path: Path,
        sized: Mapping[str, tuple[Program, int]],
        others: Mapping[str, Program],
    ) -> None:
        self._stops = 0
        self._selector = selectors.DefaultSelector()
        self._woken, self._wakes = socket.socketpair()
        self._listener = Listener(path, self._selector, self._answer)
        self._sized = set(sized)
        places = Places()
        wanted = {**sized, **{name: (program, 1) for name, program in others.items()}}
        self._groups = {
            name: Members(name, size, places, partial(self._fork, program))
            for name, (program, size) in wanted.items()
        }

    def run(self) -> None:
        """Keep the members until told to stop; then wait for the last of them."""
        self._take_signals()
        # What was imported never becomes garbage. Looked through in a member, its pages
        # would be copied there.
        gc.collect()
        gc.freeze()
        self._tend()
        while not self._stops:
            self._turn()
        self._listener.close()
        for group in self._groups.values():
            group.size = 0
        self._tend()
        while any(group.members for group in self._groups.values()):
            if self._stops > 1:
                self._kill()
            self._turn()

    def _take_signals(self) -> None:
        """Wake up for each signal that the loop has to do with."""
        self._wakes.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._wake)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, self._hear)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self._stops += number != signal.SIGCHLD

    def _wake(self) -> None:
        self._woken.recv(_WAKE_BYTES)

    def _turn(self) -> None:
        """Wait for something to happen, and do what follows from it."""
        for key, _events in self._selector.select(self._wait()):
            key.data()
        self._bury()
        self._tend()

    def _wait(self) -> float | None:
        """Return the seconds until something is due though nothing happens."""
        now = time.monotonic()
        waits = [self._listener.wait(now)]
        waits += [group.wait(now) for group in self._groups.values()]
        return min((wait for wait in waits if wait is not None), default=None)

    def _bury(self) -> None:
        """Take leave of every child that has ended, were it an orphan we were given."""
        with suppress(ChildProcessError):  # there is none
            while (ended := os.waitpid(-1, os.WNOHANG)) != _NONE_ENDED:
                pid, status = ended
                code = os.waitstatus_to_exitcode(status)
                for group in self._groups.values():
                    group.bury(pid, code, time.monotonic())

    def _tend(self) -> None:
        for group in self._groups.values():
            group.tend(time.monotonic())

    def _kill(self) -> None:
        for group in self._groups.values():
            group.kill()

    def _fork(self, program: Program, name: str, place: memoryview) -> int:
        return fork(partial(program, name, place), let_go=self._let_go)

    def _let_go(self) -> None:
        """Close in a child what the pool waits on, or it would seem to live on."""
        self._selector.close()
        self._listener.let_go()
        self._woken.close()
        self._wakes.close()

    def _answer(self, line: bytes) -> bytes:
        try:
            sizes = self._sizes(line)
        except _BadRequest as error:
            said: dict[str, Any] = {"error": str(error)}
        else:
            for name, size in sizes.items():
                self._groups[name].size = size
            self._tend()
            now = time.monotonic()
            told = {name: group.told(now) for name, group in self._groups.items()}
            said = {"pid": os.getpid(), "groups": told}
        return json.dumps(said, separators=(",", ":")).encode()

    def _sizes(self, line: bytes) -> dict[str, int]:
        """Return the sizes that a line tells: none, if it only asks."""
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            raise _BadRequest("not a line of JSON") from None
        sizes = said.get("sizes", {}) if isinstance(said, dict) else None
        if not isinstance(sizes, dict) or said.keys() - {"sizes"}:
            raise _BadRequest('say {} to ask, or {"sizes": {"ledger": 3}} to tell')
        for name, size in sizes.items():
            if name not in self._sized:
                known = ", ".join(sorted(self._sized))
                raise _BadRequest(f"no group {name!r}: there are {known}")
            if type(size) is not int or not 0 <= size <= SIZE_MAX:
                raise _BadRequest(f"{name}: a size is a number from 0 to {SIZE_MAX}")
        return sizes
