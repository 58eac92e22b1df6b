"""Celery's own pools of processes: grown and shrunk by remote control, and counted.

An answer is no success. `pool_grow` is answered at once, and the process is there up to
five seconds later; `pool_shrink` by more than are idle takes away all that are, answers
that it did not, and leaves the worker with jobs it has no process for. So it is one
process a step, in one node, and no other step until the processes were counted.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from controller.targets import Observed, Unavailable
from controller.targets.nodes import PREFORK, Node, Nodes
from controller.targets.remote_control import RemoteControl

# A node looks every five seconds whether it has as many processes as it should.
_STEP_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One process more or less that a node was told to have."""

    node: str
    by: int
    processes: int  # it should have then
    at: float


class CeleryTarget:
    """Worker processes of Celery's, wherever they run."""

    name: Final = "celery"
    start_seconds: Final = 6.0
    here: Final = False

    def __init__(
        self, broker_url: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._remote = RemoteControl(broker_url)
        self._nodes = Nodes(self._remote, clock)
        self._clock = clock
        self._steps: dict[str, _Step] = {}
        self._notes: dict[str, list[str]] = {}

    def observe(self, group: str) -> Observed:
        """Return the processes of the group's nodes, counting a step under way."""
        nodes = self._nodes.of(group)
        if not any(node.answers for node in nodes):
            raise Unavailable(
                f"no Celery worker of {group} answers; start one, or set "
                "CONTROLLER_TARGET to where workers run"
            )
        under_way = self._verify(group, nodes)
        if silent := [node.name for node in nodes if not node.answers]:
            self._note(group, f"no answer from {', '.join(silent)}")
        return Observed(
            size=sum(node.processes for node in nodes) + under_way,
            ready=sum(node.processes for node in nodes if node.answers),
            notes=self._notes.pop(group, []),
            owned_by=_owner(nodes),
        )

    def apply(self, group: str, size: int, observed: Observed) -> int | None:
        """Tell one node one process more or less, unless such a step is under way."""
        if size == observed.size or group in self._steps:
            return observed.size
        nodes = [node for node in self._nodes.of(group) if node.answers]
        by = 1 if size > observed.size else -1
        node = self._growing(group, nodes) if by > 0 else self._shrinking(group, nodes)
        if node is None or not self._tell(group, node, by):
            return None
        return observed.size + by

    def close(self) -> None:
        """Hold nothing: each question has had a connection of its own."""

    def _growing(self, group: str, nodes: Sequence[Node]) -> Node | None:
        """Return the smallest node with room."""
        found = [
            node
            for node in nodes
            if _resizable(node) and (node.most is None or node.processes < node.most)
        ]
        if not found:
            self._note(
                group,
                "no worker takes more jobs at once than now; on RabbitMQ it is as many "
                "as it was started for: start it with a larger --concurrency",
            )
        return min(found, key=lambda node: node.processes, default=None)

    def _shrinking(self, group: str, nodes: Sequence[Node]) -> Node | None:
        """Return the largest node that has an idle process beside another one."""
        found = {
            node.name: node for node in nodes if _resizable(node) and node.processes > 1
        }
        if not found:
            self._note(group, "each worker keeps its last process")
            return None
        active = self._remote.ask("active", nodes=list(found))
        idle = [
            found[name]
            for name, tasks in active.items()
            if isinstance(tasks, list) and len(tasks) < found[name].processes
        ]
        if not idle:
            self._note(group, "no process is idle, so none was taken away")
        return max(idle, key=lambda node: node.processes, default=None)

    def _tell(self, group: str, node: Node, by: int) -> bool:
        """Tell a node; return whether it said yes, or raise Unavailable."""
        command = "pool_grow" if by > 0 else "pool_shrink"
        self._nodes.ask_anew()
        # Also when no answer comes: it may have heard.
        self._steps[group] = _Step(
            node=node.name, by=by, processes=node.processes + by, at=self._clock()
        )
        answers = self._remote.ask(command, nodes=[node.name], arguments={"n": 1})
        if node.name not in answers:
            raise Unavailable(f"{node.name} does not answer")
        if "ok" in answers[node.name]:
            return True
        del self._steps[group]
        self._note(group, f"{node.name} refused: {answers[node.name].get('error')}")
        return False

    def _verify(self, group: str, nodes: Sequence[Node]) -> int:
        """Return by how many processes a step under way is still short."""
        step = self._steps.get(group)
        if step is None:
            return 0
        processes = {node.name: node.processes for node in nodes}
        has = processes.get(step.node, step.processes)
        missing = step.processes - has
        if missing * step.by > 0 and self._clock() - step.at < _STEP_SECONDS:
            return missing
        del self._steps[group]
        if missing * step.by > 0:
            self._note(
                group,
                f"{step.node} was told to have {step.processes} processes, and has "
                f"{has} after {_STEP_SECONDS:.0f} s",
            )
        return 0

    def _note(self, group: str, text: str) -> None:
        """Say something with what is observed next."""
        self._notes.setdefault(group, []).append(text)


def _resizable(node: Node) -> bool:
    return node.pool == PREFORK and not node.autoscaled


def _owner(nodes: Sequence[Node]) -> str | None:
    """Return why the group's processes are not ours to change, if they are not."""
    for node in nodes:
        if node.autoscaled:
            return f"--autoscale of {node.name}"
    if any(map(_resizable, nodes)):
        return None
    pools = sorted({node.pool for node in nodes})
    return "its pool of threads" if pools == ["thread"] else f"its pool {pools[0]}"
