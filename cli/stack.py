"""What `coin up` runs besides the servers: web, workers, and who watches them."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cli.database import ROOT
from cli.processes import LOOPBACK, Program, free_port
from cli.worker import tasks_command
from domain.settings import Settings
from domain.workers import LEDGER

# Nothing new comes in, then work in hand is done; only then may the servers go.
STOP_ORDER: Final = (
    *("web", "flower", "observer", "controller", "workers"),
    *("redis", "postgres"),
)
_FLOWER_PORT: Final = 5555
_FLOWER_FORGETS_SECONDS: Final = 60
_WORKER_GRACE_SECONDS: Final = 30
# Where both want the processor, accepting comes before applying: that may wait.
_WORKER_NICE: Final = 4
# Looking comes after both.
_OBSERVER_NICE: Final = 10


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The application's processes on one host."""

    settings: Settings
    environment: Mapping[str, str]
    data: Path
    flower_port: int | None

    def programs(self) -> list[Program]:
        """Return what a write needs."""
        web = self._program(
            "web",
            [
                *(sys.executable, "-m", "gunicorn"),
                *("--config", "python:api.server", "api.server:application()"),
            ],
        )
        return [web, self._workers(), self._controller()]

    def flower(self) -> Program:
        """Return Flower; it asks who works once, so workers should be up by then."""
        command = [
            *(sys.executable, "-m", "celery", "-A", "tasks", "--quiet", "flower"),
            *(f"--address={LOOPBACK}", f"--port={self.flower_port}"),
            "--logging=warning",
            # Workers come and go: those that have gone need not be shown for ever.
            f"--purge_offline_workers={_FLOWER_FORGETS_SECONDS}",
        ]
        return self._program("flower", command)

    def observer(self) -> Program:
        """Return the observability node, which needs none of the others."""
        command = [sys.executable, "-m", "api.observer"]
        return replace(self._program("observer", command), nice=_OBSERVER_NICE)

    def _controller(self) -> Program:
        """Return who tells the pool how many workers to have."""
        return self._program("controller", [sys.executable, "-m", "controller"])

    def _workers(self) -> Program:
        """Return the pool: its workers, and beat where there is a broker to ring on."""
        # A lane has one writer: what would be more processes has nothing to do.
        writers = min(self.settings.ledger_lanes, os.cpu_count() or 1)
        options = [f"--group={LEDGER.name}={writers}", f"--nice={_WORKER_NICE}"]
        if self.settings.broker_url:
            options.append(f"--beat={self.data.resolve() / 'beat-schedule'}")
        else:
            options.append("--poll")
        if self.flower_port is not None:
            options.append("--task-events")
        return replace(
            self._program("workers", tasks_command("pool", *options)),
            grace_seconds=_WORKER_GRACE_SECONDS,
            spares_its_own=True,
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
