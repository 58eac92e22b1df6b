"""What `coin up` runs besides the servers: web, workers, beat and flower."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cli.database import ROOT
from cli.processes import LOOPBACK, Program, free_port
from cli.worker import inbound_worker, outbound_worker, tasks_command
from domain.settings import Settings

# Nothing new comes in, then nothing new is announced, then work in hand is done;
# only then may the servers go.
STOP_ORDER: Final = (
    *("web", "flower", "beat", "worker", "outbound"),
    *("redis", "postgres"),
)
_FLOWER_PORT: Final = 5555
_WORKER_GRACE_SECONDS: Final = 30
# Where both want the processor, accepting comes before applying: that may wait.
_WORKER_NICE: Final = 4


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The application's processes on one host."""

    settings: Settings
    environment: Mapping[str, str]
    data: Path
    flower_port: int | None

    def programs(self) -> list[Program]:
        """Return what a write needs, and what announces periodic jobs."""
        web = self._program(
            "web",
            [
                *(sys.executable, "-m", "gunicorn"),
                *("--config", "python:api.server", "api.server:application()"),
            ],
        )
        if not self.settings.broker_url:
            poll = [sys.executable, "-m", "cli", "worker", "--poll"]
            return [web, self._worker("worker", poll)]
        events = self.flower_port is not None
        # A lane has one writer: what would be more processes has nothing to do.
        writers = min(self.settings.ledger_lanes, os.cpu_count() or 1)
        worker = inbound_worker(concurrency=writers, events=events)
        schedule = str(self.data.resolve() / "beat-schedule")
        # No pid file: one left by a killed run would keep beat from starting.
        beat = tasks_command("beat", "--schedule", schedule, "--pidfile=")
        return [
            web,
            self._worker("worker", worker),
            self._worker("outbound", outbound_worker(events=events)),
            self._program("beat", beat),
        ]

    def flower(self) -> Program:
        """Return Flower; it asks who works once, so workers should be up by then."""
        command = [
            *(sys.executable, "-m", "celery", "-A", "tasks", "--quiet", "flower"),
            *(f"--address={LOOPBACK}", f"--port={self.flower_port}"),
            "--logging=warning",
        ]
        return self._program("flower", command)

    def _worker(self, role: str, command: list[str]) -> Program:
        return replace(
            self._program(role, command),
            grace_seconds=_WORKER_GRACE_SECONDS,
            nice=_WORKER_NICE,
        )

    def _program(self, role: str, command: list[str]) -> Program:
        return Program(
            role=role, command=command, folder=ROOT, environment=self.environment
        )


def flower_port(*, usual: bool) -> int:
    """Return Flower's usual port, or any other when that is taken or not wanted."""
    try:
        return free_port(_FLOWER_PORT if usual else 0)
    except OSError:
        return free_port()
