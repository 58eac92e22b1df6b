"""Telling: what a target was told, whether it did so, and when to say it again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from controller.targets import Observed

_AGAIN_SECONDS: Final = 5.0
_AGAIN_MOST_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 15.0


class Telling:
    """The last thing a target was told about one group."""

    def __init__(self) -> None:
        self._wanted: int | None = None
        # On the way to what is wanted, perhaps.
        self._size: int | None = None
        # It had that size, and could not be told another; why, it says once.
        self._unable = False
        self._why: Sequence[str] = ()
        self._times = 0
        self._first: datetime | None = None
        self._at: datetime | None = None
        # Since when as many are heard of as there should be.
        self._agreed_at: datetime | None = None

    def due(self, wanted: int, observed: Observed, now: datetime) -> bool:
        """Say whether to tell it now; in vain, the same thing ever more seldom."""
        new = wanted != self._wanted or not self._in_vain(observed)
        if new or self._at is None or now < self._at:
            return True
        wait = min(_AGAIN_MOST_SECONDS, _AGAIN_SECONDS * 2 ** (self._times - 1))
        return now - self._at >= timedelta(seconds=wait)

    def told(self, wanted: int, size: int, now: datetime) -> None:
        """Note that it was told a size on the way to what is wanted."""
        self._note(wanted, size, now, unable=False)

    def unable(self, wanted: int, observed: Observed, now: datetime) -> None:
        """Note that it could be told nothing, and has the size it had."""
        self._note(wanted, observed.size, now, unable=True)

    @property
    def is_unable(self) -> bool:
        """Say whether it could be told nothing the last time."""
        return self._unable

    def _note(self, wanted: int, size: int, now: datetime, *, unable: bool) -> None:
        if (size, unable) == (self._size, self._unable):
            self._times += 1
        else:
            self._times, self._first, self._why = 1, now, ()
        self._wanted, self._size, self._unable, self._at = wanted, size, unable, now

    def notes(
        self,
        observed: Observed,
        *,
        alive: int | None,
        start_seconds: float,
        now: datetime,
    ) -> list[str]:
        """Return where what is told, said and heard of disagree for too long."""
        grace = timedelta(seconds=start_seconds + _GRACE_SECONDS)
        found = []
        if self._disobeyed(observed) and self._first and now - self._first > grace:
            found.append(f"it was told {self._size} and says {observed.size}")
        if alive in {None, observed.size} or not self._began(now):
            self._agreed_at = now
        elif self._agreed_at and now - self._agreed_at > grace:
            found.append(f"it says {observed.size}, and {alive} are heard of")
        if self._unable and self._in_vain(observed):
            self._why = observed.notes or self._why
            found += [why for why in self._why if why not in observed.notes]
        return found

    def _began(self, now: datetime) -> bool:
        return self._agreed_at is not None and self._agreed_at <= now

    def _in_vain(self, observed: Observed) -> bool:
        """Say whether all is as if nothing had been said."""
        if self._unable:
            return self._size == observed.size
        return self._disobeyed(observed)

    def _disobeyed(self, observed: Observed) -> bool:
        told = None if self._unable else self._size
        return told is not None and told != observed.size
