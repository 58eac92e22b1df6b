"""A decision: how many workers a group of queues should have, and every reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controller.forecast import Pattern
from controller.tick import Host, Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Queues served by the same workers, and what is asked of them."""

    name: str
    target_seconds: float  # the age of the oldest job we accept
    least: int
    most: int
    start_seconds: float  # until a new worker consumes
    # What a job is thought to take before any has finished.
    service_seconds: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that a policy may know; sequences are oldest first."""

    group: Group
    now: float
    current: int
    ticks: Sequence[Tick]  # of the past hour
    hosts: Sequence[Host] = ()  # of the past hour
    past: Sequence["Decision"] = ()  # of the past hour
    ceilings: Mapping[str, int] = field(default_factory=dict)  # by what limits
    pattern: Pattern | None = None

    def hold(self, reason: str) -> "Decision":
        """Return the decision to leave everything as it is."""
        return Decision(
            at=self.now,
            group=self.group.name,
            current=self.current,
            desired=self.current,
            need=float(self.current),
            reason=reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a policy wants at a moment; with equal sizes, to leave all as it is."""

    at: float
    group: str
    current: int
    desired: int
    # What was needed before anything bounded it.
    need: float
    needs: Mapping[str, float] = field(default_factory=dict)
    clamps: Sequence[str] = ()
    reason: str

    @property
    def direction(self) -> int:
        """Return 1 for up, -1 for down and 0 for neither."""
        return (self.desired > self.current) - (self.desired < self.current)

    @property
    def sentence(self) -> str:
        """Return the decision in one line."""
        sizes = f"{self.current} → {self.desired}" if self.direction else self.desired
        clamped = "".join(f"; {clamp}" for clamp in self.clamps)
        return f"{self.group} {sizes}: {self.reason}{clamped}"
