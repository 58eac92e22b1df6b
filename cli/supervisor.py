"""Keeps a stack of programs running: one loop, one thread, no surprises.

One thread, because the kernel's signal to orphans follows the thread that started
them, and because a fork among threads may deadlock.
"""

import os
import random
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

import click

from cli.output import Lines, Output
from cli.processes import Program

_TURN_SECONDS: Final = 0.1
_READ_BYTES: Final = 64 * 1024
_BACKOFF_SECONDS: Final = 0.5
_BACKOFF_CAP_SECONDS: Final = 10.0
_RAPID_SECONDS: Final = 10.0
_CRASHES_MAX: Final = 5
# Somebody's decision (an operator's, a test's, the kernel's out of memory): no crash.
# A worker that is told to end does so with status 0.
_TOLD_TO: Final = (0, -signal.SIGKILL, -signal.SIGTERM)


class CrashLoop(click.ClickException):
    """A program ends again and again right after its start."""


class Interrupted(click.ClickException):
    """Asked to stop before everything was up."""


@dataclass
class Pipe:
    """What a process and those it started print, until the last of them ends."""

    role: str
    descriptor: int
    lines: Lines = field(default_factory=Lines)
    open: bool = True


@dataclass
class Child:
    """A program, and the process that runs it now, if any."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    pipe: Pipe | None = None
    started: float = 0.0
    restart_at: float = 0.0
    crashes: int = 0
    # Process groups of former ones in which somebody still has something in hand.
    spared: set[int] = field(default_factory=set)

    @property
    def state(self) -> str:
        """Say in a word how it is."""
        if self.process is not None:
            return "running"
        return "restarting" if self.restart_at else "stopped"


class Supervisor:
    """Starts programs, restarts those that die, and stops them in a given order."""

    def __init__(self, output: Output, changed: Callable[[], None]) -> None:
        self.output = output
        self.children: dict[str, Child] = {}
        self._interrupts = 0
        self._report_wanted = False
        self._changed = changed
        self._selector = selectors.DefaultSelector()

    def listen(self) -> None:
        """Take Ctrl-C and SIGTERM as a wish to stop, SIGUSR1 as one for a report."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGHUP, self._interrupt)
        signal.signal(signal.SIGUSR1, self._ask_report)

    def start(self, program: Program) -> None:
        """Start a program and keep it running from now on."""
        child = self.children[program.role] = Child(program)
        self._spawn(child)

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Tend the programs until something is true; say whether it came in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            # Not after each turn: what the condition asks may itself be logged.
            again = time.monotonic() + _TURN_SECONDS
            while time.monotonic() < again:
                self._turn()
            if self._interrupts:
                raise Interrupted("stopped before everything was up")
            if time.monotonic() > deadline:
                return False
        return True

    def run(self) -> None:
        """Tend the programs until someone asks to stop."""
        while not self._interrupts:
            self._turn()

    def stop(self, order: Iterable[str]) -> None:
        """Stop the programs one after the other; a second Ctrl-C kills them."""
        for role in order:
            if role in self.children:
                self._stop(self.children[role])
        self.output.flush(seconds=1.0)

    def pids(self) -> Mapping[str, int]:
        """Return the process of each role that runs."""
        return {
            role: child.process.pid
            for role, child in self.children.items()
            if child.process is not None
        }

    def report(self) -> None:
        """Print each program's process and state."""
        for role, child in self.children.items():
            pid = child.process.pid if child.process else "-"
            self.output.line(f"  {role:<11}{pid!s:>8}  {child.state}")

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._interrupts += 1

    def _ask_report(self, _number: int, _frame: FrameType | None) -> None:
        self._report_wanted = True

    def _turn(self, *, restarting: bool = True) -> None:
        for key, _events in self._selector.select(_TURN_SECONDS):
            self._relay(key.data)
        for child in self.children.values():
            if child.process is not None:
                self._check(child, child.process, restarting=restarting)
            elif restarting and 0 < child.restart_at <= time.monotonic():
                self._spawn(child)
            # Asked each time: once nobody is left, the number may become a stranger's.
            child.spared = {group for group in child.spared if _signal_group(group, 0)}
        if self._report_wanted:
            self._report_wanted = False
            self.report()
        self.output.flush()

    def _spawn(self, child: Child) -> None:
        ours, childs = os.pipe()
        os.set_blocking(ours, False)
        child.process = child.program.start(childs)
        os.close(childs)
        child.pipe = Pipe(child.program.role, ours)
        child.started, child.restart_at = time.monotonic(), 0.0
        self._selector.register(ours, selectors.EVENT_READ, child.pipe)
        self._changed()

    def _relay(self, pipe: Pipe) -> bool:
        """Pass on what was printed; say whether there may be more at once."""
        if not pipe.open:
            return False
        try:
            data = os.read(pipe.descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        for line in pipe.lines.feed(data):
            self.output.relay(pipe.role, line)
        if not data:
            self._selector.unregister(pipe.descriptor)
            os.close(pipe.descriptor)
            pipe.open = False
        return bool(data)

    def _check(
        self, child: Child, process: subprocess.Popen[bytes], *, restarting: bool
    ) -> None:
        """Take leave of a process that ended, of its children and its last words."""
        code = process.poll()
        if code is None:
            return
        if child.program.spares_its_own:
            child.spared.add(process.pid)
        else:
            _signal_group(process.pid, signal.SIGKILL)
        # Not closed here: the spared still print, and would fail on a broken pipe.
        while child.pipe is not None and self._relay(child.pipe):
            pass
        child.process = child.pipe = None
        if restarting:
            self._plan_restart(child, code)
        self._changed()

    def _plan_restart(self, child: Child, code: int) -> None:
        if time.monotonic() - child.started > _RAPID_SECONDS:
            child.crashes = 0
        child.crashes += code not in _TOLD_TO
        role, ending = child.program.role, _ending(code)
        if child.crashes >= _CRASHES_MAX:
            raise CrashLoop(
                f"{role} {ending}, {_CRASHES_MAX} times right after its start; "
                "its last words are above, and `coin doctor` may know why"
            )
        # Only crashes make it wait longer: what was killed was well, however often.
        ceiling = min(_BACKOFF_CAP_SECONDS, _BACKOFF_SECONDS * 2**child.crashes)
        wait = random.uniform(0, ceiling)  # noqa: S311  it hides nothing
        child.restart_at = time.monotonic() + wait
        self.output.line(f"{role} {ending}; starting it again in {wait:.1f} s")

    def _stop(self, child: Child) -> None:
        """Ask; insist when its grace is over, or when someone is in a hurry."""
        self._stop_process(child)
        for group in child.spared:
            _signal_group(group, signal.SIGKILL)

    def _stop_process(self, child: Child) -> None:
        program, child.restart_at = child.program, 0.0
        for number in (program.stop, program.kill, signal.SIGKILL):
            if child.process is None:
                return
            kindly = number is program.stop
            if kindly:
                child.process.send_signal(number)
            else:
                _signal_group(child.process.pid, number)
            deadline = time.monotonic() + program.grace_seconds
            while child.process is not None and time.monotonic() < deadline:
                if kindly and self._interrupts > 1:
                    break
                self._turn(restarting=False)


def _signal_group(pid: int, number: int) -> bool:
    """Send each process of a group a signal, or none; say whether there is any."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with status {code}"
    return f"was killed by {signal.Signals(-code).name}"
