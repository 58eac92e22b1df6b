"""What a member runs: Celery's worker or beat, or a look at the database for work."""

import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

# Imported before any fork, for members to share.
import celery.apps.beat
import celery.apps.worker
import celery.concurrency.prefork
import celery.concurrency.thread
import celery.worker.consumer  # noqa: F401
import click
from celery import signals

import celeryconfig
from domain.workers import GROUPS, WorkerGroup, group_of
from tasks import _busy, poll, start

_BUSY: Final = slice(0, 1)
_READY: Final = 1

# Runs as the member of this name, and tells in this place how it is.
Program = Callable[[str, memoryview], int]


def queues_of(group: WorkerGroup) -> list[str]:
    """Return the queues that workers of a group serve."""
    return [queue for queue in celeryconfig.QUEUES if group_of(queue) is group]


def worker_options(group: WorkerGroup, *, events: bool) -> list[str]:
    """Return what Celery's worker is told, to be one of a group's."""
    named = [queue for other in GROUPS.values() for queue in other.queues or ()]
    return [
        "--exclude-queues" if group.queues is None else "--queues",
        ",".join(named if group.queues is None else group.queues),
        # What has several jobs at once waits for others, and not for the processor.
        *(("--pool", "threads") if group.slots > 1 else ()),
        *("--concurrency", str(group.slots)),
        # Neither is needed, and each floods a broker of many workers with messages.
        *("--without-mingle", "--without-gossip"),
        *(["--task-events"] if events else []),
    ]


def beat_options(schedule: Path) -> list[str]:
    """Return what Celery's beat is told."""
    # No pid file: one left by a killed run would keep beat from starting.
    return ["--schedule", str(schedule), "--pidfile="]


class Programs:
    """What members run, with what they have in common."""

    def __init__(self, celery: click.Group, *, events: bool, nice: int) -> None:
        self._celery = celery
        self._events = events
        self._nice = nice
        self._token = secrets.token_hex(4)

    def worker(self, group: WorkerGroup) -> Program:
        """Return a worker that the broker's doorbells wake."""
        options = worker_options(group, events=self._events)

        def run(name: str, place: memoryview) -> int:
            os.nice(self._nice)

            def share(**_options: Any) -> None:
                _busy.share(place[_BUSY])

            def ready(**_options: Any) -> None:
                place[_READY] = True

            share()
            # One that replaces a killed process has nothing in hand yet.
            signals.worker_process_init.connect(share, weak=False)
            signals.worker_ready.connect(ready, weak=False)
            # Not the bare name: what a killed worker of it held is not let go of at
            # once, and RabbitMQ would turn this one away.
            node = f"{name}-{self._token}@%h"
            return self._run("worker", *options, "--hostname", node)

        return run

    def poller(self, group: WorkerGroup) -> Program:
        """Return a worker that asks the database for work."""
        queues = queues_of(group)

        def run(_name: str, place: memoryview) -> int:
            os.nice(self._nice)
            stop = threading.Event()

            def end(_number: int, _frame: FrameType | None) -> None:
                stop.set()

            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, end)
            _busy.share(place[_BUSY])
            start()
            place[_READY] = True
            poll(stop, queues, at_once=group.slots)
            return 0

        return run

    def beat(self, schedule: Path) -> Program:
        """Return what rings for periodic jobs."""

        def run(_name: str, place: memoryview) -> int:
            place[_READY] = True
            return self._run("beat", *beat_options(schedule))

        return run

    def _run(self, *arguments: str) -> int:
        # Celery shows it in the process's title.
        sys.argv = ["celery", *arguments]
        return self._celery.main(list(arguments), standalone_mode=False) or 0
