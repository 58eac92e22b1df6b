"""The members of one group: forked, told to end, buried and replaced."""

import mmap
import os
import random
import signal
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from tasks._pool.choosing import chosen_to_end, longest_wait

_log = structlog.get_logger()

# All groups together, those that are ending included.
MEMBERS_MAX: Final = 256
_BYTES: Final = 2

# A crash sooner than that after the start is one more in a row.
_RAPID_SECONDS: Final = 10.0
# Somebody's decision (an operator's, the kernel's out of memory): no crash, unless the
# next one is gone as quickly.
_TOLD_TO: Final = (0, -signal.SIGKILL, -signal.SIGTERM)


class Places:
    """Memory that members write and the pool reads: how busy each is, and if ready."""

    def __init__(self) -> None:
        self._all = memoryview(mmap.mmap(-1, MEMBERS_MAX * _BYTES))
        # First in, first out: what a member left behind may write once more.
        self._free = deque(range(MEMBERS_MAX))

    def take(self) -> tuple[int, memoryview] | None:
        """Return a place that nobody has; None when there is none."""
        if not self._free:
            return None
        number = self._free.popleft()
        place = self._all[number * _BYTES : (number + 1) * _BYTES]
        place[:] = bytes(_BYTES)
        return number, place

    def give_back(self, number: int) -> None:
        """Let another have it."""
        self._free.append(number)


@dataclass(kw_only=True)
class Member:
    """A process of the pool's."""

    name: str
    number: int  # of its group, in the order of their start
    pid: int
    place_number: int
    place: memoryview
    started: float
    started_at: datetime
    ending: float | None = None  # since when it has been told to end

    @property
    def busy(self) -> int:
        """Return how many jobs it has in hand."""
        return self.place[0]

    @property
    def ready(self) -> bool:
        """Say whether it takes jobs, or has taken some."""
        return bool(self.place[1])


# Forks a member of this name, that writes to this place; returns its process id.
Fork = Callable[[str, memoryview], int]


class Members:
    """As many processes as wanted, and those that still have something in hand."""

    def __init__(self, name: str, size: int, places: Places, fork: Fork) -> None:
        self.name = name
        self.size = size
        self._places = places
        self._fork = fork
        self.members: list[Member] = []
        self._started = 0
        self._crashes = 0
        self._last_exit: str | None = None
        self._again_at = self._forget_at = self._lost_until = 0.0

    def wait(self, now: float) -> float | None:
        """Return the seconds until those that crashed are replaced; None: none."""
        missing = len(self._working()) < self.size
        return self._again_at - now if missing and now < self._again_at else None

    def tend(self, now: float) -> None:
        """Fork those that are missing, and have those end that are too many."""
        working = self._working()
        for member in chosen_to_end(working, len(working) - self.size):
            self._end(member, now)
        for _ in range(self.size - len(working)):
            if now < self._again_at or not self._start(now):
                return

    def bury(self, pid: int, code: int, now: float) -> None:
        """Take leave of a process that has ended, if it was one of these."""
        member = next((one for one in self.members if one.pid == pid), None)
        if member is not None:
            self.members.remove(member)
            self._places.give_back(member.place_number)
            self._note(member, code, now)

    def kill(self) -> None:
        """End them all in the middle of their work."""
        for member in self.members:
            _signal(member, signal.SIGKILL)

    def told(self, now: float) -> dict[str, Any]:
        """Say how they are."""
        return {
            "size": self.size,
            "members": [_told(member, now) for member in self.members],
            "crashes": self._crashes_lately(now),
            "again_in": round(self.wait(now) or 0.0, 1),
            "last_exit": self._last_exit,
        }

    def _working(self) -> list[Member]:
        return [member for member in self.members if member.ending is None]

    def _crashes_lately(self, now: float) -> int:
        """Return how many there were in a row, were one more to follow now."""
        return self._crashes if now < self._forget_at else 0

    def _start(self, now: float) -> bool:
        """Fork one more; say whether that was possible."""
        taken = self._places.take()
        if taken is None:
            _log.warning("pool_full", group=self.name, members=MEMBERS_MAX)
            return False
        number, place = taken
        name = f"{self.name}-{self._started + 1}"
        try:
            pid = self._fork(name, place)
        except OSError as error:  # the host has no process or memory to spare
            self._places.give_back(number)
            self._last_exit = f"{name} could not be forked: {error}"
            self._count_crash(self._last_exit, now)
            return False
        self._started += 1
        member = Member(
            name=name,
            number=self._started,
            pid=pid,
            place_number=number,
            place=place,
            started=now,
            started_at=datetime.now(UTC),
        )
        self.members.append(member)
        _log.info("member_started", member=name, pid=pid)
        return True

    def _end(self, member: Member, now: float) -> None:
        """Tell it to finish what it has in hand, and nothing more."""
        member.ending = now
        _signal(member, signal.SIGTERM)
        _log.info("member_ending", member=member.name, pid=member.pid, busy=member.busy)

    def _note(self, member: Member, code: int, now: float) -> None:
        age = now - member.started
        how = f"{member.name} (pid {member.pid}) {_ending(code)} after {age:.1f} s"
        self._last_exit = how
        if member.ending is not None:
            _log.info("member_ended", member=member.name, pid=member.pid, code=code)
        elif code in _TOLD_TO and not self._is_rapid(age, now):
            self._lost_until = now + _RAPID_SECONDS
            _log.warning("member_lost", how=how)
        else:
            self._count_crash(how, now)

    def _is_rapid(self, age: float, now: float) -> bool:
        """Say whether this one, too, ended as soon as it had begun."""
        lately = now < self._lost_until or self._crashes_lately(now) > 0
        return age < _RAPID_SECONDS and lately

    def _count_crash(self, how: str, now: float) -> None:
        """Let this group wait, the longer the more there were of it in a row."""
        self._crashes = self._crashes_lately(now) + 1
        ceiling = longest_wait(self._crashes)
        # At least half of it: crashes that are many must not be quick.
        wait = random.uniform(ceiling / 2, ceiling)  # noqa: S311  it hides nothing
        self._again_at = now + wait
        self._forget_at = self._again_at + _RAPID_SECONDS
        _log.warning("member_crashed", how=how, crashes=self._crashes)


def _signal(member: Member, number: signal.Signals) -> None:
    # Nobody has waited for it, so the number is its own even if it has ended.
    with suppress(ProcessLookupError):
        os.kill(member.pid, number)


def _told(member: Member, now: float) -> dict[str, Any]:
    ending = None if member.ending is None else round(now - member.ending, 1)
    return {
        "name": member.name,
        "pid": member.pid,
        "started_at": member.started_at.isoformat(timespec="milliseconds"),
        "age": round(now - member.started, 1),
        "ready": member.ready,
        "busy": member.busy,
        "ending_for": ending,
    }


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with status {code}"
    return f"was killed by {signal.Signals(-code).name}"
