"""Steering: one group of workers in one cycle, from what is known to what is told."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from controller.ceilings import ceilings, without
from controller.decision import Decision, Group, View
from controller.memory import Memory
from controller.sensing import Sensed
from controller.targets import Observed, Target, Unavailable
from controller.telling import Telling
from controller.tick import TICK_SECONDS, service_seconds
from domain.scaling import ControllerAction, ControllerOrder
from domain.workers import WorkerGroup
from domain.workload import Sample

_SERVICE_TICKS: Final = 12
_UNABLE: Final = "nobody can be told so now"

Policy = Callable[[View], Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a deployment chose."""

    policy: Policy
    version: str
    active: bool  # otherwise nobody is told anything
    lanes: int
    controller: str  # whose record it is


class Steering:
    """Steers one group, and remembers what its target was told."""

    def __init__(
        self, workers: WorkerGroup, group: Group, target: Target, rules: Rules
    ) -> None:
        self.workers = workers
        self.group = group
        self._target = target
        self._rules = rules
        self._telling = Telling()

    def attend(
        self,
        order: ControllerOrder | None,
        sensed: Sensed,
        memory: Memory,
        now: datetime,
    ) -> ControllerAction:
        """Look at the group, decide, and tell the target what it should be told."""
        began = time.perf_counter()
        try:
            observed = self._target.observe(self.group.name)
        except Unavailable as error:
            held = self.held(f"held, {error}", now)
            held.inputs = self._inputs(sensed, memory)
            return held
        decision = _overruled(self._decide(observed, sensed, memory, now), order)
        mode = self._mode(order, observed)
        ordered, result = self._carry_out(decision, observed, mode, now)
        notes = self._telling.notes(
            observed,
            alive=self._alive(sensed),
            start_seconds=self._target.start_seconds,
            now=now,
        )
        return self._action(
            now,
            mode=mode,
            current=decision.current,
            desired=decision.desired,
            ordered=ordered,
            need=decision.need,
            needs=dict(decision.needs),
            clamps=list(decision.clamps),
            reason=decision.reason,
            inputs=self._inputs(sensed, memory),
            result="; ".join([result, *observed.notes, *notes]),
            ms=1000 * (time.perf_counter() - began),
            order_id=order.id if order else None,
        )

    def left(self, sensed: Sensed, action: ControllerAction) -> Sensed:
        """Return what is measured without what the group was just given."""
        more = (action.ordered or 0) - (action.current or 0)
        if action.ordered is None or more <= 0:
            return sensed
        here = self._target.here
        return replace(
            sensed, sample=without(sensed.sample, self.workers, more, here=here)
        )

    def held(self, reason: str, now: datetime) -> ControllerAction:
        """Return the record of a cycle in which nothing could be decided."""
        return self._action(now, mode="observing", reason=reason, result="told nothing")

    def _action(self, now: datetime, **said: Any) -> ControllerAction:
        nothing = {"needs": {}, "clamps": [], "inputs": {}, "ms": 0.0}
        return ControllerAction(
            at=now,
            until=now,
            cycles=1,
            worker_group=self.group.name,
            policy=self._rules.version,
            target=self._target.name,
            controller=self._rules.controller,
            **{**nothing, **said},
        )

    def _decide(
        self, observed: Observed, sensed: Sensed, memory: Memory, now: datetime
    ) -> Decision:
        name, at = self.group.name, now.timestamp()
        ahead = self.group.start_seconds + TICK_SECONDS
        view = View(
            group=self.group,
            now=at,
            current=observed.size,
            ticks=memory.ticks(name),
            hosts=memory.hosts,
            past=memory.past(name),
            ceilings=ceilings(
                self.workers,
                sensed.sample,
                observed.size,
                lanes=self._rules.lanes,
                here=self._target.here,
            ),
            pattern=memory.pattern(name, ahead=ahead, now=at),
        )
        return self._rules.policy(view)

    def _mode(self, order: ControllerOrder | None, observed: Observed) -> str:
        if observed.owned_by:
            return "observing"
        if not self._rules.active:
            return "dry_run"
        if order is None:
            return "active"
        return "held" if order.size is None else "ordered"

    def _carry_out(
        self, decision: Decision, observed: Observed, mode: str, now: datetime
    ) -> tuple[int | None, str]:
        """Return what the target was told, if anything, and what came of it."""
        size = decision.desired
        if size == observed.size:
            return None, "nothing to do"
        if mode == "observing":
            return None, f"not told, {observed.owned_by} decides"
        if mode == "dry_run":
            return None, f"would be told {size}"
        return self._tell(size, observed, now)

    def _tell(
        self, size: int, observed: Observed, now: datetime
    ) -> tuple[int | None, str]:
        if not self._telling.due(size, observed, now):
            unable = self._telling.is_unable
            return None, _UNABLE if unable else f"told {size} before, waiting for it"
        try:
            ordered = self._target.apply(self.group.name, size, observed)
        except Unavailable as error:
            self._telling.told(size, size, now)
            return None, f"could not be told {size}: {error}"
        if ordered is None:
            self._telling.unable(size, observed, now)
            return None, _UNABLE
        self._telling.told(size, ordered, now)
        if ordered == observed.size:
            return None, f"on the way to {size}"
        return ordered, f"told {ordered}"

    def _alive(self, sensed: Sensed) -> int:
        crew = sensed.sample.crews.get(self.group.name)
        return crew.alive if crew else 0

    def _inputs(self, sensed: Sensed, memory: Memory) -> dict[str, Any]:
        """Return the figures of the moment, for whoever asks why."""
        ticks = memory.ticks(self.group.name)
        found: dict[str, Any] = {"faults": list(sensed.faults)}
        if crew := sensed.sample.crews.get(self.group.name):
            found |= {"alive": crew.alive, "busy": crew.busy}
        found |= _room(sensed.sample)
        if ticks:
            newest = ticks[-1]
            service = service_seconds(list(ticks)[-_SERVICE_TICKS:], jobs_min=1)
            found |= {
                "rate": round(newest.rate, 3),
                "service_seconds": service and round(service, 6),
                "ready": newest.ready,
                "running": newest.running,
                "oldest_seconds": round(newest.oldest, 3),
            }
        return found


def _room(sample: Sample) -> dict[str, Any]:
    """Return what ceilings are made of."""
    found: dict[str, Any] = {}
    if host := sample.host:
        found |= {
            "cpu": host.cpu,
            "load": host.load and round(host.load, 2),
            "memory": host.memory,
            "memory_available": host.memory_available,
            "swap": host.swap,
            "disk": host.disk,
            "worker_bytes": host.worker_bytes,
        }
    if database := sample.database:
        found["connections"] = database.connections
        found["connections_max"] = database.connections_max
    return found


def _overruled(decision: Decision, order: ControllerOrder | None) -> Decision:
    """Return the decision as an operator's order changes it; orders are not bounded."""
    if order is None:
        return decision
    size = decision.current if order.size is None else order.size
    wanted = f"the policy wants {decision.desired}: {decision.reason}"
    what = "to hold" if order.size is None else f"{order.size}"
    until = f" until {order.until:%H:%M}" if order.until else ""
    # Not who, nor why: records are shown to everybody.
    reason = f"order {order.id}: {what}{until}"
    return replace(decision, desired=size, clamps=[], reason=f"{reason}; {wanted}")
