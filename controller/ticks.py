"""Ticks from stored samples: of all that was measured, what a group's policy sees.

A sample's queues, kinds and crews are measured in one transaction, or there is no
sample. So what one does not name was at rest, and what was not measured is no tick.
"""

from collections.abc import Iterator, Sequence

from controller.tick import Host, Tick
from domain.workers import WorkerGroup, group_of, slots_of
from domain.workload import Crew, KindLoad, QueueLoad, Sample


def ticks_of(samples: Sequence[Sample], group: WorkerGroup) -> list[Tick]:
    """Return a group's part of each sample."""
    return [_tick(sample, group) for sample in samples]


def hosts_of(samples: Sequence[Sample]) -> list[Host]:
    """Return the host at each sample in which it was read."""
    return [
        Host(
            at=sample.at.timestamp(),
            cpu=sample.host.cpu,
            memory=sample.host.memory,
            disk=sample.host.disk,
        )
        for sample in samples
        if sample.host is not None
    ]


def _tick(sample: Sample, group: WorkerGroup) -> Tick:
    queues = [load for _, load in _queues(sample, group)]
    kinds = list(_kinds(sample, group))
    return Tick(
        at=sample.at.timestamp(),
        seconds=sample.seconds,
        arrived=sum(load.arrived for _, load in kinds),
        finished=sum(load.finished for _, load in kinds),
        # A worker that runs four at once is busy with each for a quarter of its time.
        busy=sum(load.seconds / slots_of(queue) for queue, load in kinds),
        ready=sum(load.ready for load in queues),
        running=sample.crews.get(group.name, Crew()).busy,
        oldest=max((load.oldest for load in queues), default=0.0),
    )


def _queues(sample: Sample, group: WorkerGroup) -> Iterator[tuple[str, QueueLoad]]:
    for queue, load in sample.queues.items():
        if group_of(queue).name == group.name:
            yield queue, load


def _kinds(sample: Sample, group: WorkerGroup) -> Iterator[tuple[str, KindLoad]]:
    for kind, load in sample.kinds.items():
        queue, _, _ = kind.partition(".")
        if group_of(queue).name == group.name:
            yield queue, load
