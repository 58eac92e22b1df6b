"""A controller on a database of its own, a target in memory, and a clock in hand."""

from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from controller import classic, policy
from controller.cycle import Cycle
from controller.decision import Group
from controller.host import HostReader
from controller.leadership import Leadership
from controller.sensing import Sensor
from controller.steering import Rules, Steering
from controller.targets import Observed
from domain import scaling, workers
from domain.db import create_engine, session_factory
from domain.ids import uuid7
from domain.jobs import NewJob, submit
from domain.settings import Settings
from domain.workers import OUTBOUND, Done, Presence
from domain.workload import HostLoad
from tests.factories import NOW

GROUP = Group(
    name="outbound",
    target_seconds=2.0,
    least=1,
    most=20,
    start_seconds=1.0,
    service_seconds=0.5,
)
ALONE = ((OUTBOUND, GROUP),)
QUEUES = ("mail", "ledger")
KIND = "mail.send_password_reset"


class Crew:
    """Workers that exist in memory alone; `unwell` is what is raised when asked."""

    name = "memory"
    start_seconds = 1.0
    here = True

    def __init__(self, size=1):
        self.size = size
        self.told = []
        self.unwell = None
        self.deaf = False
        self.owned_by = None

    def observe(self, group):
        if self.unwell:
            raise self.unwell
        return Observed(size=self.size, ready=self.size, owned_by=self.owned_by)

    def apply(self, group, size, observed):
        if self.unwell:
            raise self.unwell
        self.told.append(size)
        if not self.deaf:
            self.size = size
        return size

    def close(self):
        pass


class Full(HostReader):
    """A host with room for everything, but on its disk."""

    def read(self, pids):
        return HostLoad(
            cpu=10.0,
            cores=8,
            load=0.1,
            memory=20.0,
            memory_available=2**34,
            swap=0.0,
            disk=97.0,
            workers=len(pids),
        )


class Steered:
    """One controller, and what happens around it."""

    def __init__(
        self,
        url,
        target,
        *,
        broker=None,
        host=None,
        groups=((OUTBOUND, GROUP),),
        **rules,
    ):
        self.engine = create_engine(Settings(database_url=url), pool_size=3)
        self.sessions = session_factory(self.engine)
        self.target = target
        chosen = {
            "policy": policy.decide,
            "version": policy.VERSION,
            "active": True,
            "lanes": 1,
            "controller": "here:1",
        }
        self.leadership = Leadership(self.engine)
        self.cycle = Cycle(
            [
                Steering(workers, group, target, Rules(**{**chosen, **rules}))
                for workers, group in groups
            ],
            Sensor(broker, host or HostReader(), QUEUES),
            self.leadership,
            self.sessions,
        )
        self.now = NOW

    def turn(self, *, seconds=5.0, jump=0.0):
        """Let time pass, and a turn happen; return what was decided."""
        self.now += timedelta(seconds=seconds + jump)
        found = self.cycle.turn(self.now, elapsed=seconds)
        return found[0] if found else None

    def arrive(self, count=1, *, seconds_ago=0.0, queue="mail"):
        """Accept jobs that nobody takes."""
        at = self.now - timedelta(seconds=seconds_ago)
        with self.sessions.begin() as session:
            submit(session, [_job(at, queue) for _ in range(count)])

    def serve(self, *, seconds=0.5, count=None):
        """Have all that waits done by workers, each in so many seconds."""
        with self.sessions.begin() as session:
            gone = session.execute(
                sa.text("""
                    UPDATE jobs SET state = 'succeeded', finished_at = now(),
                        attempts = 1, result = '{}'
                    WHERE id IN (SELECT id FROM jobs WHERE state = 'queued'
                                 ORDER BY position LIMIT :count)
                """),
                {"count": count or 1_000_000},
            ).rowcount
            self._beat(session, gone, gone * seconds)

    def beat(self, alive):
        """Have so many workers say that they are alive."""
        with self.sessions.begin() as session:
            for pid in range(alive):
                presence = Presence(
                    UUID(int=pid + 1), f"w{pid}", "outbound", "far", pid, 1, 0, NOW
                )
                workers.beat(session, presence, [], now=self.now)

    def _beat(self, session, jobs, seconds):
        presence = Presence(UUID(int=999), "w", "outbound", "far", 1, 1, 0, self.now)
        done = [Done(KIND, jobs, 0, 0, seconds, 0.0)] if jobs else []
        workers.beat(session, presence, done, now=self.now)

    def records(self):
        with self.sessions() as session:
            return list(reversed(scaling.history(session, count=100)))

    def roll_up(self, *, later):
        with self.sessions.begin() as session:
            return scaling.roll_up(session, now=self.now + later)

    def order(self, size, *, seconds=None, reason=""):
        with self.sessions.begin() as session:
            until = self.now + timedelta(seconds=seconds) if seconds else None
            scaling.order(
                session,
                "outbound",
                size,
                until=until,
                given_by="ops@desk",
                reason=reason,
                now=self.now,
            )

    def release(self):
        with self.sessions.begin() as session:
            scaling.withdraw(session, "outbound", now=self.now)

    def end(self):
        self.leadership.resign()
        self.engine.dispose()


@contextmanager
def steered(url, target=None, **choices):
    found = Steered(url, target or Crew(), **choices)
    try:
        yield found
    finally:
        found.end()


def classic_rules():
    return {"policy": classic.decide, "version": classic.VERSION}


def _job(at, queue):
    # An id of that moment: arrivals are counted by it.
    noise = uuid7().int & ((1 << 80) - 1)
    return NewJob(
        id=UUID(int=int(at.timestamp() * 1000) << 80 | noise),
        kind=KIND if queue == "mail" else f"{queue}.post_operation",
        queue=queue,
        lane=0,
        payload="{}",
        submitted_at=at,
        deadline=at + timedelta(days=1),
        request_id="asked-for",
    )
