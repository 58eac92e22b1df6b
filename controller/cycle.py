"""One cycle: lead, sense, decide, tell, record. The time is given; nothing here waits.

Whatever is missing, the sizes stay as they are, and the record says what was missing.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from controller.leadership import DatabaseAway, Leadership
from controller.memory import Memory
from controller.saying import Saying
from controller.sensing import Sensed, Sensor
from controller.steering import Steering
from domain import scaling, workload
from domain.scaling import ControllerAction, ControllerOrder

_log = structlog.get_logger()

# What could not be written waits; beyond that, the oldest is given up.
_UNWRITTEN_MAX: Final = 2_000
# A clock may be set a little; more than this is a jump.
_JUMP_SECONDS: Final = 5.0


class Cycle:
    """What one controller does every few seconds."""

    def __init__(
        self,
        steerings: Sequence[Steering],
        sensor: Sensor,
        leadership: Leadership,
        sessions: sessionmaker[Session],
    ) -> None:
        self._steerings = steerings
        self._sensor = sensor
        self._leadership = leadership
        self._sessions = sessions
        self._memory = Memory([steering.workers for steering in steerings])
        self._leads = False
        # The database was away: another may lead since.
        self._in_doubt = False
        self._last: datetime | None = None
        self._sensed: Sensed | None = None
        self._unwritten: deque[ControllerAction] = deque()
        self._given_up = 0
        self._saying = Saying()
        self._away = False

    @property
    def leads(self) -> bool:
        """Say whether this controller acts, as far as it knows."""
        return self._leads

    @property
    def sensed(self) -> Sensed | None:
        """Return what the last turn measured; None when it could not."""
        return self._sensed

    def turn(self, now: datetime, *, elapsed: float | None) -> list[ControllerAction]:
        """Do all of it once, `elapsed` seconds after the last by a steady clock."""
        jumped = self._jumped(now, elapsed)
        self._last, self._sensed = now, None
        try:
            looked = self._look(now)
        except (DatabaseAway, SQLAlchemyError) as error:
            return self._hold_without_database(error, now)
        self._away = False
        if looked is None:
            return []
        sensed, orders = looked
        if jumped:
            actions = [steering.held(jumped, now) for steering in self._steerings]
        else:
            actions = self._attend(sensed, orders, now)
        self._record(actions)
        return actions

    def _attend(
        self, sensed: Sensed, orders: Mapping[str, ControllerOrder], now: datetime
    ) -> list[ControllerAction]:
        """See to each group; what one is given the next does not find."""
        actions = []
        for steering in self._steerings:
            order = orders.get(steering.group.name)
            action = steering.attend(order, sensed, self._memory, now)
            sensed = steering.left(sensed, action)
            actions.append(action)
        return actions

    def _look(self, now: datetime) -> tuple[Sensed, dict[str, ControllerOrder]] | None:
        """Return what is measured and ordered; None when another leads."""
        if not self._lead(now):
            return None
        with self._sessions.begin() as session:
            return self._sense(session, now), scaling.orders(session, now=now)

    def _lead(self, now: datetime) -> bool:
        held = self._leadership.held()
        if held and (self._in_doubt or not self._leads):
            with self._sessions() as session:
                self._memory.recall(session, now=now)
        if held != self._leads or self._last is None:
            _log.info("leading" if held else "standing_by")
        self._leads, self._in_doubt = held, False
        return held

    def _jumped(self, now: datetime, elapsed: float | None) -> str | None:
        if self._last is None or elapsed is None:
            return None
        jump = (now - self._last).total_seconds() - elapsed
        if abs(jump) <= _JUMP_SECONDS:
            return None
        return f"held, the clock jumped by {jump:.0f} s"

    def _sense(self, session: Session, now: datetime) -> Sensed:
        newest = self._memory.newest
        last = newest.at if newest else None
        sensed = self._sensor.sense(session, last=last, now=now)
        workload.store(session, sensed.sample)
        self._memory.note(sensed.sample)
        self._sensed = sensed
        self._saying.host(sensed.sample.host)
        return sensed

    def _hold_without_database(
        self, error: Exception, now: datetime
    ) -> list[ControllerAction]:
        """Leave the sizes as they are; it is recorded when the database is back."""
        if not self._away:
            _log.warning("database_away", error=type(error).__name__)
        self._away = True
        if not self._leads:
            return []
        self._in_doubt = True
        reason = "held, the database does not answer"
        actions = [steering.held(reason, now) for steering in self._steerings]
        self._saying.decided(actions)
        self._keep(actions)
        return actions

    def _record(self, actions: Sequence[ControllerAction]) -> None:
        for action in actions:
            self._memory.decided(action)
        self._saying.decided(actions)
        self._keep(actions)
        try:
            self._write()
        except SQLAlchemyError as error:
            _log.warning("not_recorded", error=type(error).__name__)

    def _keep(self, actions: Sequence[ControllerAction]) -> None:
        """Have them wait to be written; the oldest make room for the newest."""
        self._unwritten.extend(actions)
        while len(self._unwritten) > _UNWRITTEN_MAX:
            if not self._given_up:
                _log.warning("records_given_up", waiting=_UNWRITTEN_MAX)
            self._unwritten.popleft()
            self._given_up += 1

    def _write(self) -> None:
        """Store what is unwritten; should the commit fail, it still is."""
        waiting = list(self._unwritten)
        began = time.perf_counter()
        with self._sessions.begin() as session:
            scaling.record(session, waiting)
        self._sensor.commit_ms = 1000 * (time.perf_counter() - began)
        for _ in waiting:
            self._unwritten.popleft()
        if self._given_up:
            _log.warning("records_were_given_up", count=self._given_up)
            self._given_up = 0
