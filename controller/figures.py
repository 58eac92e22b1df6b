"""What the controller tells Prometheus: sizes, decisions, alarms and what it measured.

What a cycle did not find out is not told at all: an old figure would be taken for new,
and a zero for rest.
"""

import errno
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from controller.classic import ALARMS
from domain.scaling import ControllerAction
from domain.workload import Crew, DatabaseLoad, HostLoad, QueueLoad, Sample

_log = structlog.get_logger()

_LOOPBACK: Final = "127.0.0.1"
_CYCLE_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# What its labels are, and its value.
_Value = tuple[Sequence[str], float]


class Figures(Collector):
    """The figures of one controller, as its last cycle left them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._cycles = Histogram(
            "coin_controller_cycle_seconds",
            "Time of a cycle of the controller that leads",
            buckets=_CYCLE_SECONDS,
            registry=self._registry,
        )
        self._decisions: Counter[tuple[str, str, str]] = Counter()
        self._told: Sequence[Metric] = ()
        self._wanted: tuple[int, str] | None = None
        self._server: WSGIServer | None = None
        self._registry.register(self)

    def serve(self, port: int, host: str = _LOOPBACK) -> None:
        """Answer Prometheus; while another has the port, ask again at each cycle."""
        self._wanted = (port, host)
        self._listen()

    def cycle(
        self,
        *,
        seconds: float | None,
        leads: bool,
        actions: Sequence[ControllerAction] = (),
        sample: Sample | None = None,
        faults: Collection[str] = (),
    ) -> None:
        """Tell of this cycle from now on; `faults` say what could not be measured.

        One that has no time did not come to its end.
        """
        if leads and seconds is not None:
            self._cycles.observe(seconds)
        for action in actions:
            self._decisions[action.worker_group, _direction(action), action.mode] += 1
        self._told = [
            _gauge("coin_controller_leader", "Whether this controller leads", leads),
            _labelled(
                "coin_controller_faults",
                "What could not be measured or told in the last cycle",
                ["what"],
                [((what,), 1) for what in sorted(set(map(_subject, faults)))],
            ),
            _sizes(actions, sample),
            self._decided(),
            *(_measured(sample) if sample else ()),
        ]
        self._listen()

    def collect(self) -> Iterable[Metric]:
        """Return what the last cycle left."""
        return self._told

    def close(self) -> None:
        """Tell nothing more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _listen(self) -> None:
        if self._wanted is None or self._server is not None:
            return
        port, host = self._wanted
        try:
            self._server, _ = start_http_server(port, host, self._registry)
        except OSError as error:
            # Another controller of this host, mostly, of which one leads.
            if error.errno != errno.EADDRINUSE:
                _log.warning("figures_not_told", port=port, error=repr(error))

    def _decided(self) -> Metric:
        found = CounterMetricFamily(
            "coin_controller_decisions",
            "Decisions made, those to leave all as it is too",
            labels=["group", "direction", "mode"],
        )
        for labels, count in self._decisions.items():
            found.add_metric(labels, count)
        return found


def _subject(fault: str) -> str:
    """Return what a fault is about; the rest, such as an error, is in the record."""
    return fault.partition(":")[0]


def _direction(action: ControllerAction) -> str:
    if action.desired is None or action.current is None:
        return "none"
    ahead = action.desired - action.current
    return "up" if ahead > 0 else "down" if ahead < 0 else "none"


def _sizes(actions: Sequence[ControllerAction], sample: Sample | None) -> Metric:
    known: list[tuple[str, str, float | None]] = []
    for action in actions:
        group = action.worker_group
        crew = sample.crews.get(group, Crew()) if sample else None
        known += [
            (group, "needed", action.need),
            (group, "desired", action.desired),
            (group, "current", action.current),
            # Heard of, whatever the target says.
            (group, "ready", crew.alive if crew else None),
        ]
    return _labelled(
        "coin_controller_workers",
        "Workers needed, desired within bounds, current as the target says, and ready",
        ["group", "state"],
        [((group, state), size) for group, state, size in known if size is not None],
    )


def _measured(sample: Sample) -> Iterable[Metric]:
    yield from _queues(sample.queues)
    yield _labelled(
        "coin_workers",
        "Workers by heartbeat",
        ["group", "state"],
        [
            ((group, state), count)
            for group, crew in sample.crews.items()
            for state, count in (("alive", crew.alive), ("busy", crew.busy))
        ],
    )
    if sample.database is not None:
        yield from _database(sample.database)
    if sample.host is not None:
        yield from _host(sample.host)


def _queues(queues: Mapping[str, QueueLoad]) -> Iterable[Metric]:
    yield _labelled(
        "coin_queue_depth_jobs",
        "Jobs that are not finished",
        ["queue", "state"],
        [
            ((queue, state), getattr(load, state))
            for queue, load in queues.items()
            for state in ("ready", "delayed", "running")
        ],
    )
    yield _labelled(
        "coin_queue_oldest_seconds",
        "Time the oldest job that could begin has waited",
        ["queue"],
        [((queue,), load.oldest) for queue, load in queues.items()],
    )
    yield _labelled(
        "coin_queue_messages",
        "Messages of the broker, those not acknowledged too",
        ["queue"],
        [
            ((queue,), load.messages)
            for queue, load in queues.items()
            if load.messages is not None
        ],
    )


def _database(load: DatabaseLoad) -> Iterable[Metric]:
    yield _labelled(
        "coin_database_connections",
        "Connections to the database server, and the most it allows",
        ["state"],
        [(("open",), load.connections), (("most",), load.connections_max)],
    )
    if load.commit_ms is not None:
        yield _gauge(
            "coin_database_commit_seconds",
            "Time of the controller's last commit",
            load.commit_ms / 1000,
        )


def _host(host: HostLoad) -> Iterable[Metric]:
    used = {what: getattr(host, what) for what in ("cpu", "memory", "swap", "disk")}
    yield _labelled(
        "coin_host_used_ratio",
        "Share of a resource of the host that is in use",
        ["what"],
        [((what,), percent / 100) for what, percent in used.items()],
    )
    yield _labelled(
        "coin_alarm",
        "Whether a resource of the host is nearly used up",
        ["what"],
        [((what,), used[what] > most) for what, most in ALARMS.items()],
    )
    yield _gauge("coin_host_cores", "Processors of the host", host.cores)
    if host.load is not None:
        yield _gauge(
            "coin_host_load", "Load of the host over the last minute", host.load
        )
    if host.worker_bytes is not None:
        yield _gauge(
            "coin_worker_memory_bytes",
            "Memory of a large one among the workers of this host",
            host.worker_bytes,
        )


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value)


def _labelled(
    name: str, meaning: str, labels: Sequence[str], values: Iterable[_Value]
) -> Metric:
    found = GaugeMetricFamily(name, meaning, labels=labels)
    for those, value in values:
        found.add_metric(those, value)
    return found
