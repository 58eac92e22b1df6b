"""Memory: the past hour of samples and decisions, which records can always rebuild."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from controller.decision import Decision
from controller.forecast import Pattern, find_pattern
from controller.tick import HOUR_TICKS, Host, Tick
from controller.ticks import hosts_of, ticks_of
from domain import scaling, workload
from domain.scaling import ControllerAction
from domain.workers import WorkerGroup
from domain.workload import Sample

# What recurs is looked for once a minute, in the hour before that minute began: whoever
# begins in the middle of one finds the same.
_PATTERN_SECONDS: Final = 60.0
_HOUR_SECONDS: Final = 3_600.0
_REMEMBERED: Final = timedelta(seconds=_HOUR_SECONDS + _PATTERN_SECONDS)
_SAMPLES_MAX: Final = HOUR_TICKS + 24


class Memory:
    """What a policy is shown of the past."""

    def __init__(self, groups: Sequence[WorkerGroup]) -> None:
        self._groups = groups
        self._forget()

    def _forget(self) -> None:
        self.newest: Sample | None = None
        self.hosts: deque[Host] = deque(maxlen=_SAMPLES_MAX)
        self._ticks: Mapping[str, deque[Tick]] = defaultdict(
            lambda: deque(maxlen=_SAMPLES_MAX)
        )
        self._past: Mapping[str, deque[Decision]] = defaultdict(
            lambda: deque(maxlen=_SAMPLES_MAX)
        )
        self._patterns: dict[str, tuple[float, Pattern | None]] = {}

    def recall(self, session: Session, *, now: datetime) -> None:
        """Begin with what is recorded, whoever recorded it."""
        self._forget()
        for sample in workload.since(session, now - _REMEMBERED):
            self.note(sample)
        for group in self._groups:
            for action in scaling.since(session, group.name, at=now - _REMEMBERED):
                self.decided(action)

    def note(self, sample: Sample) -> None:
        """Remember a sample."""
        self.newest = sample
        self.hosts.extend(hosts_of([sample]))
        for group in self._groups:
            self._ticks[group.name].extend(ticks_of([sample], group))

    def decided(self, action: ControllerAction) -> None:
        """Remember what was done; what was only wanted is no move."""
        if action.current is None or action.need is None:
            return
        self._past[action.worker_group].append(
            Decision(
                at=action.at.timestamp(),
                group=action.worker_group,
                current=action.current,
                desired=action.current if action.ordered is None else action.ordered,
                need=action.need,
                needs=action.needs,
                clamps=action.clamps,
                reason=action.reason,
            )
        )

    def ticks(self, group: str) -> Sequence[Tick]:
        """Return what was measured of a group, oldest first."""
        return self._ticks[group]

    def past(self, group: str) -> Sequence[Decision]:
        """Return what was done about a group, oldest first."""
        return self._past[group]

    def pattern(self, group: str, *, ahead: float, now: float) -> Pattern | None:
        """Return what recurs in the hour before this minute."""
        minute = now // _PATTERN_SECONDS * _PATTERN_SECONDS
        sought_at, pattern = self._patterns.get(group, (None, None))
        if sought_at != minute:
            hour = [
                tick
                for tick in self._ticks[group]
                if minute - _HOUR_SECONDS < tick.at <= minute
            ]
            pattern = find_pattern(hour, ahead=ahead)
            self._patterns[group] = (minute, pattern)
        return pattern
