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
    """A name, what it does (its docstring says it), where, and what is then allowed.

    `own` are the servers it disturbs, which must not be anyone else's.
    """

    name: str
    run: Callable[[Attack], None]
    grounds: str = "usual"
    own: tuple[str, ...] = ()
    recover_seconds: float = 15.0
    accept_p99_ms: float | None = None

    @property
    def what(self) -> str:
        """Say in a line what is done."""
        return (self.run.__doc__ or "").partition("\n")[0].rstrip(".")


_REDIS, _POSTGRES = ("redis",), ("postgres",)

SCENARIOS = (
    Scenario("workers-killed", workers.killed),
    Scenario("workers-stopped", workers.stopped_gracefully),
    Scenario("pool-killed", workers.pool_killed),
    Scenario("worker-frozen", workers.frozen),
    Scenario("redis-restarted", redis.restarted, own=_REDIS),
    Scenario("redis-flushed", redis.flushed, own=_REDIS),
    Scenario("redis-frozen", redis.frozen, own=_REDIS, accept_p99_ms=600),
    Scenario("doorbells-doubled", doorbells.doubled),
    Scenario("api-killed", processes.api_killed),
    Scenario("postgres-restarted", processes.postgres_restarted, own=_POSTGRES),
    Scenario("beats", processes.beats),
    Scenario("connections-used-up", connections.used_up, own=_POSTGRES),
    Scenario("connections-ended", connections.ended),
    Scenario("poisoned", poison.poisoned),
    Scenario("clock-back", clocks.stepped_back),
    Scenario("all-at-once", mayhem.everything, own=_REDIS + _POSTGRES),
    Scenario("commits-cut", commits.cut, "proxied"),
    Scenario("disk-full", disks.full, "small_disk"),
    Scenario("polling-killed", workers.pollers_killed, "polling"),
    Scenario("polling-stopped", workers.pollers_stopped, "polling"),
    Scenario("polling-api-killed", processes.api_killed, "polling"),
    Scenario("polling-poisoned", poison.poisoned, "polling"),
    Scenario("polling-ended", connections.ended, "polling"),
    Scenario("polling-postgres", processes.postgres_restarted, "polling", _POSTGRES),
)
