"""Every figure that a process of ours can tell, in the registries that tell them."""

from datetime import UTC, datetime
from typing import NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry

import api.figures  # noqa: F401  declares what the API counts
from api.backlog import Backlog
from controller.figures import Figures
from domain.scaling import ControllerAction
from domain.workload import Crew, DatabaseLoad, HostLoad, QueueLoad, Sample
from tasks._registry import kinds
from tasks._series import Series

SAMPLE = Sample(
    at=datetime(2026, 11, 20, 12, tzinfo=UTC),
    seconds=5.0,
    queues={"ledger": QueueLoad(ready=1, messages=1)},
    crews={"ledger": Crew(alive=1), "outbound": Crew(alive=1)},
    database=DatabaseLoad(connections=1, connections_max=2, commit_ms=1.0),
    host=HostLoad(
        cpu=1.0,
        cores=2,
        load=1.0,
        memory=1.0,
        memory_available=1,
        swap=0.0,
        disk=1.0,
        worker_bytes=1,
    ),
)


class Row(NamedTuple):
    """A metric as the documentation has it."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str


def of_api(sessions):
    """The API's: what its processes count, and what they read of the database."""
    counted = CollectorRegistry()
    for collector, names in list(REGISTRY._collector_to_names.items()):
        if any(name.startswith("coin_") for name in names):
            counted.register(collector)
    waiting = CollectorRegistry()
    waiting.register(Backlog(sessions))
    return [counted, waiting]


def of_workers():
    registry = CollectorRegistry()
    Series(registry).begin(kinds)
    return [registry]


def of_controller():
    """A controller's, after a cycle that found out everything, and one that did not."""
    figures = Figures()
    modes = ("active", "dry_run", "ordered", "held", "observing")
    actions = [
        ControllerAction(worker_group=group, mode=mode, current=1, desired=2, need=1.5)
        for group in ("ledger", "outbound")
        for mode in modes
    ]
    figures.cycle(
        seconds=0.1, leads=True, actions=actions, sample=SAMPLE, faults=["host: away"]
    )
    return [figures._registry]


def rows(registries):
    """Return a row of each metric that these tell, or will."""
    labelnames = {
        collector._name: tuple(collector._labelnames)
        for registry in registries
        for collector in registry._collector_to_names
        if hasattr(collector, "_labelnames")
    }
    found = set()
    for registry in registries:
        for family in registry.collect():
            labels = labelnames.get(family.name)
            if labels is None:
                seen = {tuple(sample.labels) for sample in family.samples}
                assert len(seen) <= 1, f"{family.name} has labels now and then"
                labels = next(iter(seen), ())
            name = family.name + ("_total" if family.type == "counter" else "")
            found.add(Row(name, family.type, labels, family.documentation))
    return found
