"""Replays: a policy as it runs, on a trace instead of on the world."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from controller import classic, policy
from controller.decision import Decision, Group, View
from controller.forecast import Pattern, find_pattern
from controller.outcome import Outcome
from controller.simulate import Controller, simulate
from controller.tick import HOUR_TICKS, TICK_SECONDS, Host, Tick
from controller.traces import Trace

POLICIES: Final[dict[str, Callable[[View], Decision]]] = {
    "age": policy.decide,
    "classic": classic.decide,
}
# How often what recurs is looked for again: it takes a while, and changes slowly.
PATTERN_SECONDS: Final = 60.0


class Replayed:
    """A policy with the memory that its records give it in service."""

    def __init__(self, name: str, group: Group) -> None:
        self._decide = POLICIES[name]
        self._group = group
        self._hosts: deque[Host] = deque(maxlen=HOUR_TICKS)
        self._pattern: Pattern | None = None
        self._sought_at = 0.0
        self.decisions: deque[Decision] = deque(maxlen=HOUR_TICKS)

    def __call__(self, ticks: Sequence[Tick], size: int, now: float) -> int:
        """Return the size the policy wants."""
        busy = 100 * ticks[-1].running / max(1, size)
        self._hosts.append(Host(at=now, cpu=min(100.0, busy), memory=0.0, disk=0.0))
        if now - self._sought_at >= PATTERN_SECONDS:
            ahead = self._group.start_seconds + TICK_SECONDS
            self._pattern = find_pattern(list(ticks), ahead=ahead)
            self._sought_at = now
        view = View(
            group=self._group,
            now=now,
            current=size,
            ticks=list(ticks),
            hosts=self._hosts,
            past=self.decisions,
            pattern=self._pattern,
        )
        decision = self._decide(view)
        self.decisions.append(decision)
        return decision.desired


def replay(
    trace: Trace, name: str, group: Group, *, seed: int = 1, warm_up: float = 0.0
) -> Outcome:
    """Play a trace under a policy, beginning with the least the group may have."""
    controller: Controller = Replayed(name, group)
    return simulate(
        trace,
        controller,
        start_seconds=group.start_seconds,
        size=group.least,
        seed=seed,
        warm_up=warm_up,
    )
