"""Programs a scenario runs beside the stack's own: a worker, a beat, an API."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

import psutil

from bench.faults.attack import Attack
from bench.faults.waiting import until
from bench.stack import ROOT, status_of
from cli.processes import free_port
from cli.worker import celery_worker, tasks_command

_START_SECONDS = 60.0
_STOP_SECONDS = 45.0


@contextmanager
def worker(
    attack: Attack, *, clock_after: float | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run one more worker."""
    command = _clocked(celery_worker(concurrency=1), clock_after)
    with workers(attack, 1, command) as (process,):
        yield process


@contextmanager
def workers(
    attack: Attack, count: int, command: list[str] | None = None
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run more workers, from when each has the process that applies jobs."""
    with ExitStack() as held:
        started = [
            held.enter_context(
                _running(attack, command or celery_worker(concurrency=1))
            )
            for _ in range(count)
        ]
        for process in started:
            parent = psutil.Process(process.pid)
            until(parent.children, _START_SECONDS, "one more worker")
        yield started


@contextmanager
def beat(attack: Attack, number: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run one more beat."""
    schedule = str(attack.grounds.data.parent / f"beat-{number}")
    command = tasks_command("beat", "--schedule", schedule, "--pidfile=")
    with _running(attack, command) as process:
        yield process


@contextmanager
def api(attack: Attack, *, clock_after: float | None = None) -> Iterator[str]:
    """Run one more API; yield where it listens."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn"),
        *("--config", "python:api.server", "api.server:application()"),
    ]
    variables = {"HOST": "127.0.0.1", "PORT": str(port)}
    with _running(attack, _clocked(command, clock_after), variables):
        address = f"127.0.0.1:{port}"
        health = f"http://{address}/health"
        until(
            lambda: status_of(health) == HTTPStatus.OK, _START_SECONDS, "one more API"
        )
        yield address


def _clocked(command: list[str], clock_after: float | None) -> list[str]:
    """Have a Python module's command run under a clock that steps back."""
    if clock_after is None:
        return command
    python, _, *module = command
    return [python, "-m", "bench.faults.clock", str(clock_after), *module]


@contextmanager
def _running(
    attack: Attack, command: list[str], variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    log = attack.grounds.data.parent / "beside.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**attack.grounds.environment(), **(variables or {})},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    for child in psutil.Process(process.pid).children(recursive=True):
        child.kill()
    process.kill()
    process.wait(_STOP_SECONDS)
