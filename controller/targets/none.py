"""No target: what is recommended is recorded, and an operator does it, or does not."""

from collections.abc import Callable
from typing import Final

from controller.targets import Observed


class NoTarget:
    """Counts who is alive, by their heartbeats, and changes nothing."""

    name: Final = "none"
    start_seconds: Final = 1.0
    here: Final = False

    def __init__(self, alive: Callable[[str], int]) -> None:
        self._alive = alive

    def observe(self, group: str) -> Observed:
        """Return how many workers have been heard of lately."""
        alive = self._alive(group)
        return Observed(size=alive, ready=alive, owned_by="an operator")

    def apply(self, group: str, size: int, observed: Observed) -> int:
        """Change nothing."""
        raise AssertionError(f"{group}: nobody may be told {size} of {observed.size}")

    def close(self) -> None:
        """Hold nothing."""
