"""Sense: one sample of job table, broker, workers, database and host.

What cannot be measured is missing from it and named; it is never zero.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from controller.broker import Broker, BrokerAway
from controller.host import HostReader, HostUnknown
from domain import workers, workload
from domain.workload import HostLoad, QueueLoad, Sample

# After a longer silence nobody knows what happened in it.
_SPAN_MAX: Final = timedelta(seconds=30)
_SPAN_USUAL: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensed:
    """A sample, and what is missing from it."""

    sample: Sample
    faults: Sequence[str] = field(default_factory=tuple)


class Sensor:
    """Measures, each time from where it left off."""

    def __init__(
        self, broker: Broker | None, host: HostReader, queues: Sequence[str]
    ) -> None:
        self._broker = broker
        self._host = host
        self._queues = queues
        # How long the last commit took, for whoever makes them to tell.
        self.commit_ms: float | None = None

    def sense(
        self, session: Session, *, last: datetime | None, now: datetime
    ) -> Sensed:
        """Return what happened since the sample before, which may be of another."""
        until = now - workload.LAG
        since = until - _SPAN_USUAL
        if last is not None and timedelta(0) < now - last <= _SPAN_MAX:
            since = last - workload.LAG
        faults: list[str] = []
        sample = Sample(
            at=now,
            seconds=(until - since).total_seconds(),
            queues=self._with_messages(workload.queues(session, now=now), faults),
            kinds=workload.kinds(session, since=since, until=until),
            crews=workload.crews(session, now=now),
            database=workload.database(session, commit_ms=self.commit_ms),
            host=self._read_host(session, now, faults),
        )
        return Sensed(sample=sample, faults=faults)

    def _with_messages(
        self, found: dict[str, QueueLoad], faults: list[str]
    ) -> dict[str, QueueLoad]:
        if self._broker is None:
            return found
        try:
            messages = self._broker.messages(self._queues)
        except BrokerAway as error:
            faults.append(str(error))
            return found
        for queue, count in messages.items():
            if count or queue in found:
                load = found.get(queue, QueueLoad())
                found[queue] = replace(load, messages=count)
        return found

    def _read_host(
        self, session: Session, now: datetime, faults: list[str]
    ) -> HostLoad | None:
        here = socket.gethostname()
        alive = workers.alive(session, now=now)
        try:
            return self._host.read([w.pid for w in alive if w.host == here])
        except HostUnknown as error:
            faults.append(str(error))
            return None
