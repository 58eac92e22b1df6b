"""Heartbeats: who beat lately is alive, and what was done is told once."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from domain import workers
from domain.workers import ALIVE_FOR, Done, Presence, Work, Worker
from tests.factories import NOW, make_owner, make_presence

SECOND = timedelta(seconds=1)


@pytest.fixture
def name():
    return make_owner("worker")


def alive(session, name, now=NOW):
    return [one for one in workers.alive(session, now=now) if one.name == name]


def told(session, *kinds):
    rows = session.scalars(
        sa.select(Work).where(Work.kind.in_(kinds)).order_by(Work.id)
    )
    return [
        (one.kind, one.jobs, one.refused, one.failed, one.seconds, one.cpu_seconds)
        for one in rows
    ]


def test_who_beats_is_alive_as_it_said(session, name):
    given = {"worker_group": "outbound", "pid": 41, "slots": 4, "busy": 3}
    presence = make_presence(name=name, **given)
    workers.beat(session, presence, [], now=NOW)

    (worker,) = alive(session, name)
    said = {field: getattr(worker, field) for field in Presence._fields}
    assert Presence(**said) == presence
    assert worker.seen_at == NOW


def test_the_next_beat_says_how_busy_it_is_now(session, name):
    presence = make_presence(name=name)
    workers.beat(session, presence, [], now=NOW)
    workers.beat(session, presence._replace(busy=2), [], now=NOW + SECOND)
    session.expire_all()

    (worker,) = alive(session, name)
    assert (worker.busy, worker.seen_at) == (2, NOW + SECOND)


def test_who_is_silent_counts_as_gone(session, name):
    workers.beat(session, make_presence(name=name), [], now=NOW)

    assert alive(session, name, NOW + ALIVE_FOR - SECOND)
    assert not alive(session, name, NOW + ALIVE_FOR)


def test_who_ends_as_it_was_told_is_gone_at_once(session, name):
    leaves, stays = make_presence(name=name), make_presence(name=name)
    for presence in (leaves, stays):
        workers.beat(session, presence, [], now=NOW)
    workers.leave(session, leaves.id)
    workers.leave(session, leaves.id)

    assert [worker.id for worker in alive(session, name)] == [stays.id]


def test_those_that_started_first_come_first(session, name):
    for started in (3, 1, 2):
        presence = make_presence(name=name, started_at=NOW + started * SECOND)
        workers.beat(session, presence, [], now=NOW)

    started = [worker.started_at for worker in alive(session, name)]
    assert started == sorted(started)


def test_a_beat_tells_what_was_done_by_kind(session, name):
    kinds = [f"ledger.{name}", f"mail.{name}"]
    done = [Done(kinds[0], 500, 3, 0, 0.25, 0.125), Done(kinds[1], 1, 0, 1, 9.0, 0.01)]
    presence = make_presence(name=name)
    workers.beat(session, presence, done, now=NOW)
    workers.beat(session, presence, done[:1], now=NOW + SECOND)

    assert told(session, *kinds) == [tuple(one) for one in [*done, done[0]]]


def test_what_is_old_is_forgotten_and_no_more(session, name):
    kind = f"ledger.{name}"
    for at in (NOW, NOW + SECOND):
        presence = make_presence(name=name, pid=(at - NOW).seconds)
        workers.beat(session, presence, [Done(kind, 1, 0, 0, 0.1, 0.1)], now=at)
    workers.forget(session, before=NOW + SECOND)

    kept = session.scalars(sa.select(Worker.pid).where(Worker.name == name)).all()
    assert (kept, len(told(session, kind))) == ([1], 1)
