"""Nodes: Celery's workers, what each of them serves, and how many processes it has.

Asked once for all groups in a cycle: a node of many that is asked costs the broker a
message, and one that does not answer costs us a second.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from controller.targets.remote_control import RemoteControl
from domain.workers import GROUPS, group_of

PREFORK: Final = "prefork"

# Cycles are five seconds apart; what is younger was asked for another group.
_FRESH_SECONDS: Final = 2.0
# How soon a new one is noticed, and how long one that is silent counts as there.
_DISCOVERED_FOR: Final = 30.0
_SILENT_FOR: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One worker of Celery's, as it last told."""

    name: str
    group: str
    pool: str  # prefork, thread, solo, …
    processes: int
    autoscaled: bool
    # More processes than it takes jobs for would have nothing to do; None: any number.
    most: int | None
    heard_at: float
    answers: bool = True


class Nodes:
    """All nodes behind a broker; those that fall silent stay for half a minute."""

    def __init__(self, remote: RemoteControl, clock: Callable[[], float]) -> None:
        self._remote = remote
        self._clock = clock
        self._queues: dict[str, Any] = {}
        self._known: dict[str, Node] = {}
        self._discovered_at: float | None = None
        self._asked_at: float | None = None

    def of(self, group: str) -> list[Node]:
        """Return a group's nodes in the order of their names, or raise Unavailable."""
        now = self._clock()
        if self._asked_at is None or now - self._asked_at >= _FRESH_SECONDS:
            self._asked_at = None
            self._look(now)
            self._asked_at = now
        nodes = (node for node in self._known.values() if node.group == group)
        return sorted(nodes, key=lambda node: node.name)

    def ask_anew(self) -> None:
        """Believe nothing that was told so far."""
        self._asked_at = None

    def _look(self, now: float) -> None:
        complete = all(node.answers for node in self._known.values())
        if (
            not (self._known and complete)
            or self._discovered_at is None
            or now - self._discovered_at >= _DISCOVERED_FOR
        ):
            found = self._remote.ask("active_queues")
            self._queues |= {name: queues for name, queues in found.items() if queues}
            self._discovered_at = now
        names = list(self._queues)
        told = self._remote.ask("stats", nodes=names) if names else {}
        known = {}
        for name, queues in self._queues.items():
            node = _node(name, queues, told.get(name), now) or self._silent(name, now)
            if node is not None:
                known[name] = node
        self._known = known
        self._queues = {name: self._queues[name] for name in known}

    def _silent(self, name: str, now: float) -> Node | None:
        node = self._known.get(name)
        if node is None or now - node.heard_at > _SILENT_FOR:
            return None
        return replace(node, answers=False)


def _node(name: str, queues: Any, told: Any, now: float) -> Node | None:
    """Return what a node told of itself; None when that is not what nodes tell."""
    try:
        pool = told["pool"]
        kind = pool["implementation"].partition(":")[0].rpartition(".")[2]
        return Node(
            name=name,
            group=_group(queues),
            pool=kind,
            processes=len(pool["processes"]) if kind == PREFORK else 1,
            autoscaled="autoscaler" in told,
            most=_most(queues, pool),
            heard_at=now,
        )
    except (KeyError, TypeError, AttributeError):
        return None


def _group(queues: Any) -> str:
    """Return the first group it serves: two sizes told to one pool would fight."""
    served = {group_of(queue["name"]).name for queue in queues}
    return next(name for name in GROUPS if name in served)


def _most(queues: Any, pool: Mapping[str, Any]) -> int | None:
    """Return how many jobs at once it was started for, if that is how many it takes.

    RabbitMQ hands a consumer of a quorum queue no more than that, whatever it has grown
    to: three processes where one was had one job among them.
    """
    quorum = any(
        (queue["queue_arguments"] or {}).get("x-queue-type") == "quorum"
        for queue in queues
    )
    return int(pool["max-concurrency"]) if quorum else None
