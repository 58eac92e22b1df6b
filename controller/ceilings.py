"""Ceilings: how many workers the host, the database and the lanes have room for.

They bound growth. Nothing is taken away because room is short for a moment; only lanes,
which are configuration, may be fewer than the workers there are.
"""

from dataclasses import replace
from typing import Final

from domain.workers import WorkerGroup, group_of
from domain.workload import DatabaseLoad, HostLoad, Sample

_MEMORY_RESERVE: Final = 256_000_000
# What a worker is thought to take before one has been weighed.
_WORKER_BYTES: Final = 60_000_000
_LOAD_A_CORE_MAX: Final = 1.5
_CPU_BOUND: Final = 0.7
_SWAP_MAX: Final = 25.0
_CONNECTIONS_RESERVE: Final = 5
_LEDGER: Final = "ledger"


def ceilings(
    group: WorkerGroup, sample: Sample, current: int, *, lanes: int, here: bool
) -> dict[str, int]:
    """Return by what is scarce how many workers may be, `here` if on this host."""
    found = {}
    if group.by_lanes:
        found["lanes"] = lanes + _elsewhere(group, sample)
    if sample.database is not None:
        found["connections"] = _by_connections(group, sample.database, current)
    if here:
        found |= _by_host(
            sample.host, current, bound_by_cpu=_is_cpu_bound(group, sample)
        )
    return found


def without(sample: Sample, group: WorkerGroup, more: int, *, here: bool) -> Sample:
    """Return what is left for others when a group was given so many workers more."""
    database, host = sample.database, sample.host
    if database is not None:
        taken = database.connections + more * group.connections
        database = replace(database, connections=taken)
    if host is not None and here:
        left = host.memory_available - more * _bytes_each(host)
        host = replace(host, memory_available=left)
    return replace(sample, database=database, host=host)


def _elsewhere(group: WorkerGroup, sample: Sample) -> int:
    """Return how many could be at work at once for the group's other queues.

    A lane there has one writer, too, until a job of it runs by itself under a lease.
    """
    return sum(
        load.lanes + load.running
        for queue, load in sample.queues.items()
        if queue != _LEDGER and group_of(queue) is group
    )


def _by_connections(group: WorkerGroup, database: DatabaseLoad, current: int) -> int:
    free = database.connections_max - database.connections - _CONNECTIONS_RESERVE
    return current + max(0, free // group.connections)


def _by_host(
    host: HostLoad | None, current: int, *, bound_by_cpu: bool
) -> dict[str, int]:
    if host is None:
        return {"memory, which is unknown,": current + 1}
    room = host.memory_available - _MEMORY_RESERVE
    found = {"memory": current + max(0, room // _bytes_each(host))}
    if host.swap > _SWAP_MAX:
        found[f"swap at {host.swap:.0f} %"] = current
    busy = host.load is not None and host.load / host.cores > _LOAD_A_CORE_MAX
    if busy and bound_by_cpu:
        found[f"load {host.load:.1f} on {host.cores} cores"] = current
    return found


def _bytes_each(host: HostLoad) -> int:
    return host.worker_bytes or _WORKER_BYTES


def _is_cpu_bound(group: WorkerGroup, sample: Sample) -> bool:
    """Say whether more workers would only wait for a processor."""
    kinds = [
        load
        for kind, load in sample.kinds.items()
        if group_of(kind.partition(".")[0]) is group
    ]
    seconds = sum(load.seconds for load in kinds)
    return seconds > 0 and sum(k.cpu_seconds for k in kinds) > _CPU_BOUND * seconds
