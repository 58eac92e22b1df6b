"""What the stack's processes print, each line under its role, in one stream.

A reader that stops reading (a test, a pager) must not stop the stack, so lines
wait in a bounded buffer and the oldest go first.
"""

import os
import select
import sys
from collections import deque
from typing import Final

import click

_LINES_MAX: Final = 5_000
_LINE_BYTES_MAX: Final = 64 * 1024
_COLOURS: Final = ("cyan", "green", "yellow", "magenta", "blue", "bright_black")


class Output:
    """Standard output, written to only while it takes more."""

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = sys.stdout.fileno() if descriptor is None else descriptor
        self.coloured = os.isatty(self.descriptor)
        self._lines: deque[bytes] = deque(maxlen=_LINES_MAX)
        self._roles: dict[str, bytes] = {}
        self._open = True

    def line(self, text: str) -> None:
        """Say something ourselves."""
        self._lines.append(f"{text}\n".encode())
        self.flush()

    def relay(self, role: str, line: bytes) -> None:
        """Pass on a child's line."""
        self._lines.append(self._prefix(role) + line.rstrip(b"\r\n") + b"\n")

    def flush(self, seconds: float = 0.0) -> None:
        """Write what standard output takes now, or within so many seconds."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        while self._lines and self._open and poll.poll(seconds * 1000):
            self._write()

    def _write(self) -> None:
        # A pipe that polls writable takes PIPE_BUF bytes without blocking.
        data = self._lines.popleft()
        while self._lines and len(data) + len(self._lines[0]) <= select.PIPE_BUF:
            data += self._lines.popleft()
        try:
            written = os.write(self.descriptor, data[: select.PIPE_BUF])
        except OSError:  # whoever listened is gone; the stack lives on
            self._open = False
            return
        if rest := data[written:]:
            self._lines.appendleft(rest)

    def _prefix(self, role: str) -> bytes:
        if role not in self._roles:
            prefix = f"{role:<11}| "
            colour = _COLOURS[len(self._roles) % len(_COLOURS)]
            shown = click.style(prefix, fg=colour) if self.coloured else prefix
            self._roles[role] = shown.encode()
        return self._roles[role]


class Lines:
    """Cuts a child's stream of bytes into lines of bounded length."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, and return the lines they complete; no bytes mean the end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_BYTES_MAX or not data:
            lines.append(self._rest)
            self._rest = b""
        return [line for line in lines if line]
