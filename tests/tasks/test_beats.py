"""A worker beats whatever it does, and tells what it did once, sooner or later."""

import os
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from domain import workers
from domain.errors import Refused
from domain.jobs import Outcome
from domain.workers import Work
from tasks import _beats, _busy, _done
from tests.factories import make_owner
from tests.tasks.lanes import succeed
from tests.waiting import eventually


class Beating:
    """This process as a worker, and what was heard of it."""

    def __init__(self, sessions, stack):
        self._sessions, self._stack = sessions, stack
        self.name = make_owner("worker")

    def begin(self):
        queues = ["mail", "webhooks"]
        self._stack.enter_context(_beats.beating(self.name, queues=queues, slots=4))

    def end(self):
        self._stack.close()

    def seen(self):
        """Return the worker as it last told, or None while nobody heard of it."""
        with self._sessions() as session:
            heard = workers.alive(session, now=datetime.now(UTC))
        return next((one for one in heard if one.name == self.name), None)

    def beats_again(self):
        """Wait for a beat that begins after this."""
        at = datetime.now(UTC)
        eventually(lambda: self.seen().seen_at > at)

    def told(self, kind):
        """Return how many of a kind were run, refused and failed, as it was told."""
        return self._sums(kind, Work.jobs, Work.refused, Work.failed)

    def took(self, kind):
        """Return the seconds that runs of a kind took, and those of a processor."""
        return self._sums(kind, Work.seconds, Work.cpu_seconds)

    def _sums(self, kind, *columns):
        sums = sa.select(*map(sa.func.sum, columns)).where(Work.kind == kind)
        with self._sessions() as session:
            return tuple(session.execute(sums).one())


@pytest.fixture
def beating(sessions, monkeypatch):
    """Beat often; nothing was done before, and nothing beats after the test."""
    monkeypatch.setattr(_beats, "BEAT_SECONDS", 0.02)
    _done.take()
    with ExitStack() as stack:
        yield Beating(sessions, stack)


@pytest.fixture
def kind():
    """A kind of job no other test has."""
    return make_owner("ledger.kind")


def test_a_worker_says_who_it_is_from_its_start_to_its_end(beating):
    began = datetime.now(UTC)
    beating.begin()
    worker = eventually(beating.seen)
    beating.end()

    assert (worker.worker_group, worker.pid) == ("outbound", os.getpid())
    assert (worker.slots, worker.busy) == (4, 0)
    assert began <= worker.started_at <= worker.seen_at
    assert beating.seen() is None


def test_it_beats_again_and_again(beating):
    beating.begin()
    eventually(beating.seen)

    beating.beats_again()
    beating.beats_again()


def test_who_begins_again_is_another_worker(beating):
    beating.begin()
    first = eventually(beating.seen).id
    beating.end()
    beating.begin()

    assert eventually(beating.seen).id != first


# What is in hand


class Held:
    """Long jobs of a kind that last until they may end."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()

    def run(self, session, _claim, **_others):
        session.execute(sa.text("SELECT 1"))
        self.begun.release()
        assert self.may_end.wait(20)


@pytest.fixture
def held(lane, declare, kind):
    """Workers, each with one of these jobs in hand; return how many they are."""
    job = Held()
    declare(kind, long=job.run)
    started = []

    def hold(count):
        lane.submit(*(lane.job(kind) for _ in range(count)))
        for _ in range(count):
            started.append(threading.Thread(target=lane.drain))
            started[-1].start()
            assert job.begun.acquire(timeout=10)
        return job.may_end

    yield hold
    job.may_end.set()
    for thread in started:
        thread.join()


def test_a_long_job_silences_nobody_and_is_in_hand_while_it_runs(beating, held):
    may_end = held(1)
    beating.begin()
    eventually(lambda: beating.seen() and beating.seen().busy == 1)
    beating.beats_again()
    may_end.set()

    eventually(lambda: beating.seen().busy == 0)


def test_a_beat_waits_for_none_of_the_connections_that_jobs_hold(
    beating, held, monkeypatch
):
    """Four jobs, and the renewals of their leases as often as can be."""
    monkeypatch.setattr("tasks._leases._HEARTBEAT_SECONDS", 0.01)
    held(4)
    beating.begin()
    eventually(lambda: beating.seen() and beating.seen().busy == 4)
    began = time.monotonic()
    beating.beats_again()

    # Who waits for a connection waits two seconds, and then has none.
    assert time.monotonic() - began < 2


def test_a_batch_is_in_hand_until_it_is_stored(lane, declare, kind):
    during = []

    def apply(_session, claims, **_others):
        during.append(_busy.count())
        return succeed(claims)

    declare(kind, batch=apply)
    lane.submit(lane.job(kind))
    lane.drain()

    assert (during, _busy.count()) == ([1], 0)


# What was done


def apply(_session, claims, **_others):
    """Refuse what asks for it; of some, nothing will do."""
    if any("poison" in claim.payload for claim in claims):
        raise ValueError("poison")
    return [
        Outcome(claim.id, refusal=Refused("No."))
        if claim.payload
        else Outcome(claim.id, result={})
        for claim in claims
    ]


def test_a_batch_is_counted_by_kind_and_its_time_is_parted(lane, declare, beating):
    many, few = (declare(make_owner("ledger.kind"), batch=apply) for _ in range(2))
    lane.submit(
        *(lane.job(many.name, {"refuse": 1} if n < 3 else {}) for n in range(30)),
        *(lane.job(few.name) for _ in range(10)),
    )
    beating.begin()
    lane.drain()
    beating.end()

    assert beating.told(many.name) == (30, 3, 0)
    assert beating.told(few.name) == (10, 0, 0)
    seconds, cpu_seconds = beating.took(many.name)
    assert 0 < cpu_seconds <= seconds < 10
    assert seconds == pytest.approx(3 * beating.took(few.name)[0])


def test_a_job_that_poisons_its_batch_is_one_failure_a_try(
    lane, declare, beating, kind
):
    declare(kind, batch=apply)
    lane.submit(*(lane.job(kind, {"poison": 1} if n == 4 else {}) for n in range(9)))
    beating.begin()
    lane.drain()
    beating.end()

    jobs, refused, failed = beating.told(kind)
    # A drain that takes long comes to where the job is due again.
    assert (jobs - failed, refused) == (8, 0)
    assert failed >= 1


@pytest.mark.parametrize(
    ("error", "counted"),
    [(None, (1, 0, 0)), (Refused("No."), (1, 1, 0)), (ValueError("bug"), (1, 0, 1))],
)
@pytest.mark.usefixtures("beating")
def test_a_long_job_is_counted_however_it_ended(lane, declare, kind, error, counted):
    def run(session, _claim, **_others):
        session.execute(sa.text("SELECT pg_sleep(0.05)"))
        if error:
            raise error

    declare(kind, long=run)
    lane.submit(lane.job(kind))
    lane.drain()
    (done,) = _done.take()

    assert (done.kind, (done.jobs, done.refused, done.failed)) == (kind, counted)
    # It waited for the database, and computed next to nothing meanwhile.
    assert 0.05 <= done.seconds < 10
    assert 0 < done.cpu_seconds < done.seconds


def test_who_lost_a_lease_counts_nothing(lane, declare, beating, kind, sessions):
    """Whoever has it now counts the job."""

    def run(_session, claim, **_others):
        lost = sa.text("UPDATE jobs SET attempts = attempts + 1 WHERE id = :id")
        with sessions.begin() as session:
            session.execute(lost, {"id": claim.id})

    declare(kind, long=run)
    lane.submit(lane.job(kind))
    lane.drain()

    assert lane.states() == ["running"]
    assert [done for done in _done.take() if done.kind == kind] == []


def test_what_was_done_before_the_beginning_is_another_processes_to_tell(
    lane, declare, beating, kind
):
    """A child has what its parent counted before the fork."""
    declare(kind, batch=apply)
    lane.submit(lane.job(kind))
    lane.drain()
    beating.begin()
    beating.end()

    assert beating.told(kind) == (None, None, None)


def test_what_waits_to_be_told_is_as_much_as_there_are_kinds(kind):
    _done.take()
    for _ in range(1_000):
        _done.add(kind, _done.Stopwatch(), failed=True)
        _done.put_back(_done.take())

    (waiting,) = _done.take()
    assert (waiting.kind, waiting.jobs, waiting.failed) == (kind, 1_000, 1_000)


def test_what_comes_round_by_the_clock_is_no_load(kind, declare):
    """An hour of tidying would say that whatever comes takes a millisecond."""
    declare(kind, long=lambda *_, **__: None, every_seconds=60)
    _done.take()
    _done.add(kind, _done.Stopwatch())

    assert _done.take() == []


# A database that is away


@pytest.fixture
def away(monkeypatch):
    """A database that does not hear beats; call it for one that does."""
    real = workers.beat

    def unheard(*_arguments, **_options):
        raise sa.exc.OperationalError("", {}, Exception("away"))

    monkeypatch.setattr(workers, "beat", unheard)
    return lambda: monkeypatch.setattr(workers, "beat", real)


def test_what_could_not_be_told_is_told_later_and_once(
    lane, declare, beating, kind, away
):
    declare(kind, batch=apply)
    with capture_logs() as logs:
        beating.begin()
        for _ in range(3):
            lane.submit(lane.job(kind), lane.job(kind))
            lane.drain()
        eventually(lambda: "beats_unheard" in [one["event"] for one in logs])
        unheard = beating.seen()
        away()
        eventually(lambda: beating.told(kind) == (6, 0, 0))
        beating.beats_again()

    assert unheard is None
    assert beating.told(kind) == (6, 0, 0)
    # A database that is away for an hour is away for 1,800 beats.
    said = [one["event"] for one in logs if one["event"].startswith("beats")]
    assert said == ["beats_unheard", "beats_heard_again"]


def test_a_worker_ends_although_nobody_hears_it(beating, monkeypatch):
    hangs = threading.Event()
    monkeypatch.setattr(workers, "leave", lambda *_: hangs.wait(20))
    monkeypatch.setattr(_beats, "_LEAVE_SECONDS", 0.05)
    beating.begin()
    began = time.monotonic()
    beating.end()
    took = time.monotonic() - began
    hangs.set()

    assert took < 10
