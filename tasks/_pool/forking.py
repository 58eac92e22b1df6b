"""A fork that becomes a program of its own, and ends with whoever made it."""

import atexit
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final, NoReturn

import structlog

import tracing

_log = structlog.get_logger()

# What the pool handles itself, and a child must not.
HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def fork(program: Callable[[], int], *, let_go: Callable[[], None]) -> int:
    """Run a program in a child; return its process id.

    `let_go` closes in the child what is the parent's alone.
    """
    parent = os.getpid()
    # A signal between the fork and the child's own handlers would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        pid = os.fork()
        if pid == 0:
            _become(program, parent, let_go)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    return pid


def _become(
    program: Callable[[], int], parent: int, let_go: Callable[[], None]
) -> NoReturn:
    """Be that program and nothing else: what the parent has under way is not ours."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        let_go()
        _end_with(parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        status = program()
        tracing.stop()
    except SystemExit as ended:
        status = _status(ended)
    except BaseException:  # noqa: BLE001  nothing may return into the parent's code
        _log.exception("member_failed")
    finally:
        _leave(status)


def _leave(status: int) -> NoReturn:
    """End as the interpreter would, but here."""
    try:
        # Celery's prefork pool has a folder that it takes away.
        atexit._run_exitfuncs()  # noqa: SLF001
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(status)


def _end_with(parent: int) -> None:
    """Have the kernel tell us to end, kindly, when the parent has."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:  # it ended before the kernel was asked
        raise SystemExit(0)


def _status(ended: SystemExit) -> int:
    if isinstance(ended.code, str):
        print(ended.code, file=sys.stderr)  # noqa: T201  as Python itself does
        return 1
    return ended.code or 0
