"""Who ends when there are too many, and how long a group that crashes waits: pure."""

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

_BACKOFF_SECONDS: Final = 0.5
_BACKOFF_CAP_SECONDS: Final = 10.0
_DOUBLINGS_MAX: Final = 10


class Candidate(Protocol):
    """A member that may be told to end."""

    @property
    def busy(self) -> int:
        """Return how many jobs it has in hand."""

    @property
    def number(self) -> int:
        """Return how many of its group were started up to it."""


_Member = TypeVar("_Member", bound=Candidate)


def chosen_to_end(members: Iterable[_Member], count: int) -> list[_Member]:
    """Return those with least in hand first, and of these the newest."""
    ordered = sorted(members, key=lambda member: (member.busy, -member.number))
    return ordered[: max(0, count)]


def longest_wait(crashes: int) -> float:
    """Return the seconds that a group waits at most after so many crashes in a row."""
    doubled = _BACKOFF_SECONDS * (1 << min(crashes, _DOUBLINGS_MAX))
    return min(_BACKOFF_CAP_SECONDS, doubled)
