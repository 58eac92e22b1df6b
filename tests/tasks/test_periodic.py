"""Any number of beats, workers and pollers store one job a slot."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import structlog

import tasks
from domain.jobs import Job
from tasks import poll
from tasks._periodic import periodic, submit_slot
from tests.factories import NOW, make_owner
from tests.tasks.conftest import forget
from tests.waiting import eventually

SECOND = timedelta(seconds=1)


@pytest.fixture
def kind(declare):
    """A kind of a name of its own: slots are remembered."""
    name = f"maintenance.{make_owner('look')}"
    return declare(name, long=lambda *_, **__: {"seen": True}, every_seconds=10)


def stored(sessions, kind):
    query = sa.select(Job).where(Job.kind == kind.name).order_by(Job.position)
    with sessions() as session:
        return session.scalars(query).all()


def test_many_beats_at_once_store_one_job(sessions, kind):
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: submit_slot(kind, now=NOW), range(16)))

    assert stores.count(True) == 1
    assert len(stored(sessions, kind)) == 1


def test_a_slot_begins_on_the_period(sessions, kind):
    for seconds in (0, 9.999, 10, 19.999, 20):
        submit_slot(kind, now=NOW + seconds * SECOND)

    assert [row.submitted_at for row in stored(sessions, kind)] == [
        NOW,
        NOW + 10 * SECOND,
        NOW + 20 * SECOND,
    ]


def test_a_slot_nobody_worked_on_expires(sessions, kind):
    submit_slot(kind, now=NOW)
    (row,) = stored(sessions, kind)

    assert row.deadline == NOW + 20 * SECOND
    assert (row.application, row.principal) == (None, None)


def test_only_kinds_with_a_period_are_periodic(declare, kind):
    declare("maintenance.once", long=lambda *_, **__: None)
    names = [each.name for each in periodic()]

    assert kind.name in names
    assert "maintenance.once" not in names


def test_every_period_is_on_the_schedule_of_beat():
    schedule = tasks.app.conf.beat_schedule

    assert {
        name: (entry["task"], entry["args"], entry["schedule"])
        for name, entry in schedule.items()
    } == {
        "governance.advance": (
            "governance.submit_slot",
            ["governance.advance"],
            10,
        ),
        "governance.refund": (
            "governance.submit_slot",
            ["governance.refund"],
            30,
        ),
        "maintenance.reconcile": (
            "maintenance.submit_slot",
            ["maintenance.reconcile"],
            5,
        ),
        "maintenance.tend_logins": (
            "maintenance.submit_slot",
            ["maintenance.tend_logins"],
            3_600,
        ),
        "maintenance.roll_up": (
            "maintenance.submit_slot",
            ["maintenance.roll_up"],
            300,
        ),
        "maintenance.expire_bounties": (
            "maintenance.submit_slot",
            ["maintenance.expire_bounties"],
            60,
        ),
        "webhooks.tidy": ("webhooks.submit_slot", ["webhooks.tidy"], 60),
    }


def test_the_answer_to_beat_stores_the_job_and_runs_it(sessions, kind):
    tasks.app.tasks["maintenance.submit_slot"](kind.name)
    tasks.app.tasks["maintenance.submit_slot"](kind.name)

    states = [row.state for row in stored(sessions, kind)]
    assert states in (["succeeded"], ["succeeded"] * 2)  # a slot may begin in between


# Without a broker


@pytest.fixture
def polling():
    """Run a polling worker beside the test."""
    stop = threading.Event()
    thread = threading.Thread(target=poll, args=(stop,))
    thread.start()
    yield thread
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_polling_worker_needs_no_broker(lane, polling, monkeypatch):
    monkeypatch.setattr("celeryconfig.broker_url", None)
    owner = make_owner()
    lane.submit(*(lane.write(owner) for _ in range(50)))
    eventually(lambda: lane.counts() == {"succeeded": 50})

    assert lane.balance(owner) == (500, 50)


def test_a_polling_worker_stores_periodic_jobs_itself(sessions, kind, polling):
    eventually(lambda: [row.state for row in stored(sessions, kind)] == ["succeeded"])


def test_two_polling_workers_apply_everything_once(lane, polling):
    stop, owner = threading.Event(), make_owner()
    other = threading.Thread(target=poll, args=(stop,))
    other.start()
    for _ in range(20):
        lane.submit(*(lane.write(owner) for _ in range(5)))
    eventually(lambda: lane.counts() == {"succeeded": 100})
    stop.set()
    other.join()

    assert lane.balance(owner) == (1_000, 100)


def test_a_polling_worker_outlives_a_database_that_is_away(
    lane, database_url, monkeypatch
):
    monkeypatch.setattr("tasks._poll._AWAY_SECONDS", 0.01)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    forget()
    owner, stop = make_owner(), threading.Event()
    lane.submit(lane.write(owner))
    worker = threading.Thread(target=poll, args=(stop,))
    with structlog.testing.capture_logs() as logs:
        worker.start()
        eventually(lambda: "database_away" in [entry["event"] for entry in logs])
    monkeypatch.setenv("DATABASE_URL", database_url)
    forget()
    eventually(lambda: lane.states() == ["succeeded"])
    stop.set()
    worker.join()

    assert lane.balance(owner) == (10, 1)


def test_a_polling_worker_rests_while_another_has_the_lane(
    sessions, lane, polling, monkeypatch
):
    """Work that is due and not for it to do must not keep it busy."""
    looks = []
    monkeypatch.setattr("tasks._poll.drain", lambda *lane: looks.append(lane))
    lane.submit(lane.write(make_owner()))
    eventually(lambda: len(looks) > 1)
    began, before = datetime.now(UTC), len(looks)
    eventually(lambda: datetime.now(UTC) - began > timedelta(seconds=0.5))

    assert len(looks) - before < 50
    monkeypatch.undo()
