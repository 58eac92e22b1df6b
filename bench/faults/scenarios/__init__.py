"""Every scenario by its name, in the order they are run."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.faults.attack import Attack
from bench.faults.scenarios import (
    clocks,
    commits,
    connections,
    disks,
    doorbells,
    mayhem,
    poison,
    processes,
    redis,
    workers,
)


@dataclass(frozen=True)
class Scenario:
    """A name, what it does (its docstring says it), where, and what is then allowed."""

    name: str
    run: Callable[[Attack], None]
    grounds: str = "usual"
    recover_seconds: float = 15.0
    accept_p99_ms: float | None = None

    @property
    def what(self) -> str:
        """Say in a line what is done."""
        return (self.run.__doc__ or "").partition("\n")[0].rstrip(".")


SCENARIOS = (
    Scenario("workers-killed", workers.killed),
    Scenario("workers-stopped", workers.stopped_gracefully),
    Scenario("worker-frozen", workers.frozen),
    Scenario("redis-restarted", redis.restarted),
    Scenario("redis-flushed", redis.flushed),
    Scenario("redis-frozen", redis.frozen, accept_p99_ms=600),
    Scenario("doorbells-doubled", doorbells.doubled),
    Scenario("api-killed", processes.api_killed),
    Scenario("postgres-restarted", processes.postgres_restarted),
    Scenario("beats", processes.beats),
    Scenario("connections-used-up", connections.used_up),
    Scenario("connections-ended", connections.ended),
    Scenario("poisoned", poison.poisoned),
    Scenario("clock-back", clocks.stepped_back),
    Scenario("all-at-once", mayhem.everything),
    Scenario("commits-cut", commits.cut, "proxied"),
    Scenario("disk-full", disks.full, "small_disk"),
    Scenario("polling-killed", workers.pollers_killed, "polling"),
    Scenario("polling-postgres", processes.postgres_restarted, "polling"),
)
