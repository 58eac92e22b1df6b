"""What a policy made of a trace: how long jobs waited, and what that cost."""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple


class Moment(NamedTuple):
    """How it stood at a tick."""

    at: float
    rate: float  # arrivals a second since the tick before
    wanted: int
    there: int  # of them, those that have started and live
    wait: float  # the longest of who began since then, or waits


@dataclass(slots=True)
class Outcome:
    """Counts after the warm-up; times are seconds since the trace began."""

    waits: list[float] = field(default_factory=list)
    work_seconds: float = 0.0
    worker_seconds: float = 0.0
    # The size from each moment on, its first included.
    sizes: list[tuple[float, int]] = field(default_factory=list)
    # Of the whole trace.
    moments: list[Moment] = field(default_factory=list)

    def wait(self, share: float) -> float:
        """Return how long this share of the jobs waited at most."""
        ordered = sorted(self.waits)
        return ordered[math.ceil(share * len(ordered)) - 1] if ordered else 0.0

    def late(self, seconds: float) -> float:
        """Return the share of the jobs that waited longer than this."""
        return sum(wait > seconds for wait in self.waits) / max(1, len(self.waits))

    @property
    def cost(self) -> float:
        """Return seconds of workers against seconds of work; 1 is ideal."""
        return self.worker_seconds / self.work_seconds if self.work_seconds else 0.0

    @property
    def actions(self) -> int:
        """Return how often the size changed."""
        return max(0, len(self.sizes) - 1)

    @property
    def turns(self) -> list[float]:
        """Return when the size began to fall after rising, or to rise after falling."""
        moves = [
            (at, size - before) for (_, before), (at, size) in pairwise(self.sizes)
        ]
        return [at for (_, one), (at, other) in pairwise(moves) if one * other < 0]

    def turns_within(self, seconds: float) -> int:
        """Return the most turns in any span of this length."""
        turns = self.turns
        return max(
            (sum(at - seconds < turn <= at for turn in turns) for at in turns),
            default=0,
        )
