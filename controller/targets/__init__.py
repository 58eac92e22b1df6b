"""Targets: what a size is told to, and what says how many there are.

Each observes, is told, and is observed again: what it answers when it is told is not
believed. A target never makes a worker end in the middle of a job.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Unavailable(Exception):
    """A target cannot be asked or told now; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """How many workers of a group a target was told to have, and how many it has."""

    size: int
    ready: int | None = None  # None: it does not know
    # What an operator should know, such as a worker that does not end.
    notes: Sequence[str] = ()
    # Why nobody but its owner may change it; None: we may.
    owned_by: str | None = None


class Target(Protocol):
    """Where workers run: a pool on this host, Celery's processes, a Deployment."""

    @property
    def name(self) -> str:
        """Return what the setting calls it."""

    @property
    def start_seconds(self) -> float:
        """Return how long a new worker takes until it consumes."""

    @property
    def here(self) -> bool:
        """Say whether its workers are on this host, and take of its memory."""

    def observe(self, group: str) -> Observed:
        """Return what there is, or raise Unavailable; within seconds in any case."""

    def apply(self, group: str, size: int, observed: Observed) -> int | None:
        """Tell it a size; return the one it was told, which may be on the way there.

        That is the size observed while an earlier step is under way, and None when no
        step is possible; why is in the notes of what is observed next. Idempotent.
        Raises Unavailable, after which nobody knows whether it was told.
        """

    def close(self) -> None:
        """Let go of connections."""
