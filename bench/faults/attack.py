"""One scenario under way: what it may do to the stack, and what is noted of it."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

import psutil
from kombu import Connection

import celeryconfig
from bench.faults.books import Books
from bench.faults.grounds import Grounds
from bench.faults.load import Load
from bench.faults.waiting import until
from cli import endpoints
from cli.servers import redis_client
from controller.targets import Unavailable
from controller.targets.local import say
from domain.workers import LEDGER

PROBES = 8
RECOVERED_SECONDS = 60.0
_RESTART_SECONDS = 45.0
_REDIS_SECONDS = 2.0


class Impossible(Exception):
    """This machine does not allow the fault; the message says why."""


@dataclass
class Attack:
    """The stack, the load it is under, a seeded chance, and what was seen."""

    grounds: Grounds
    books: Books
    load: Load
    chance: Random
    quick: bool
    recoveries: list[float] = field(default_factory=list)
    windows: list[tuple[float, float]] = field(default_factory=list)
    count: int = 0
    notes: list[str] = field(default_factory=list)

    def times(self, full: int, quick: int = 1) -> int:
        """Return how often to do it, or for how many seconds."""
        return quick if self.quick else full

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Note that the fault lasts as long as the block."""
        began = time.monotonic()
        self.count += 1
        try:
            yield
        finally:
            self.windows.append((began, time.monotonic()))

    def pause(self, seconds: float) -> None:
        """Let the fault, or the load between two of them, last."""
        time.sleep(seconds)

    def process(self, role: str) -> psutil.Process:
        """Return the process of a role, or of a group of the pool's, once it runs."""

        def running() -> psutil.Process | None:
            found = endpoints.read(self.grounds.data)
            pid = found.pids.get(role) or _member(found.workers, role)
            return psutil.Process(pid) if pid and psutil.pid_exists(pid) else None

        return until(running, _RESTART_SECONDS, f"a running {role}")

    def family(self, role: str = LEDGER.name) -> list[psutil.Process]:
        """Return a role's process and its children, once it has any."""

        def grown() -> list[psutil.Process]:
            try:
                parent = self.process(role)
                children = parent.children(recursive=True)
            except psutil.NoSuchProcess:
                return []
            return [parent, *children] if children else []

        return until(grown, _RESTART_SECONDS, f"a {role} with children")

    def strike(self, role: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a role's process a signal, and see that it recovers."""
        victim = self.process(role)
        with self.fault(), self.recovering():
            victim.send_signal(number)
            until(lambda: not alive(victim), _RESTART_SECONDS, f"the end of {role}")

    @contextmanager
    def recovering(self, *, noted: bool = True) -> Iterator[None]:
        """Measure from the start of the block until what came after it is applied."""
        since = time.monotonic()
        yield
        seconds = self.recovered(since)
        if noted:
            self.recoveries.append(seconds)

    def recovered(self, since: float) -> float:
        """Wait until writes sent since then, and all before them, are applied."""
        jobs = self.load.wait_accepted(PROBES, since=since, seconds=RECOVERED_SECONDS)
        last = self.books.position(jobs)
        until(lambda: not self.books.waiting(last), RECOVERED_SECONDS, "writes applied")
        return time.monotonic() - since

    def flush(self) -> None:
        """Empty Redis; on a broker that is another's, only our queues."""
        broker = self.grounds.broker or ""
        if not self.grounds.lacks("redis"):
            with redis_client(broker, seconds=_REDIS_SECONDS) as redis:
                redis.flushall()
            return
        options = celeryconfig.PUBLISHER_TRANSPORT
        with Connection(broker, transport_options=options) as connection:
            for queue in celeryconfig.QUEUES:
                connection.default_channel.queue_purge(queue)


def _member(socket: str | None, group: str) -> int | None:
    """Return the oldest of a group, of those that are not told to end."""
    try:
        groups = say(socket or "", {})["groups"]
    except Unavailable:  # the pool is being started
        return None
    members = groups[group]["members"] if group in groups else []
    return next((one["pid"] for one in members if one["ending_for"] is None), None)


def alive(process: psutil.Process) -> bool:
    """Say whether it runs, and is not merely waiting to be buried."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
