"""Other servers to measure beside ours: an API of another design, a worker for it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.stack import ROOT, Stack, status_of
from cli.processes import Program, end, free_port

_START_SECONDS = 30
_KEPT_SECONDS = 60


@contextmanager
def api(stack: Stack, design: str, *options: str) -> Iterator[str]:
    """Serve a design with gunicorn and yield its address."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"),
        # A busy server must not take a connection in use for one that is forgotten.
        *("--keep-alive", str(_KEPT_SECONDS)),
        *("--log-level", "warning", "--no-control-socket", *options),
        f"bench.designs.{design}:application()",
    ]
    with _running(stack, design, command):
        address = f"http://127.0.0.1:{port}"
        _wait(address)
        yield address


@contextmanager
def celery_worker(stack: Stack, module: str, queue: str) -> Iterator[None]:
    """Run a prefork worker of two processes for a module's Celery app."""
    command = [
        *(sys.executable, "-m", "celery", "-A", module, "worker"),
        *("--queues", queue, "--concurrency", "2", "--loglevel", "warning"),
        *("--without-mingle", "--without-gossip"),
    ]
    with _running(stack, queue, command):
        yield


@contextmanager
def _running(stack: Stack, role: str, command: list[str]) -> Iterator[None]:
    program = Program(
        role=role,
        command=command,
        folder=ROOT,
        environment=stack.environment(),
        orphaned=signal.SIGTERM,
    )
    process = program.start(subprocess.DEVNULL)
    try:
        yield
    finally:
        end(program, process)


def _wait(address: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if status_of(address) is not None:
            return
        time.sleep(0.05)
    raise TimeoutError(f"{address} did not answer")
