"""The reconciler finds what messages and workers have lost, and only that."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from domain import jobs, logins, scaling, workers, workload
from domain.jobs import Job
from tasks import maintenance
from tasks.maintenance import reconcile, roll_up, tend_logins
from tests.domain.scaling import deciding
from tests.factories import (
    NOW,
    make_claim,
    make_job,
    make_owner,
    make_presence,
    make_user,
)
from tests.tasks.lanes import Lane

DAY = timedelta(days=1)


@pytest.fixture
def run(sessions):
    """Reconcile as a worker does, in one transaction."""

    def run(now=None):
        with sessions.begin() as session:
            return reconcile(session, make_claim(), now=now or datetime.now(UTC))

    return run


def rung(broker, lane):
    """Say whether a doorbell for the lane is on its way."""
    return broker.exists(f"coin:rung:ledger:{lane.number}") == 1


def test_a_lane_whose_doorbell_was_lost_is_rung_again(run, broker, lane):
    lane.submit(lane.write(make_owner()))
    answer = run()

    assert rung(broker, lane)
    assert answer["rung"] >= 1


def test_a_lane_that_is_done_is_left_alone(run, broker, lane):
    lane.submit(lane.write(make_owner()))
    lane.drain()
    run()

    assert not rung(broker, lane)


def test_a_retry_is_rung_for_when_its_time_has_come(run, broker, lane, sessions):
    lane.submit(job := lane.write(make_owner()))
    later = datetime.now(UTC) + timedelta(hours=1)
    with sessions.begin() as session:
        session.execute(sa.update(Job).where(Job.id == job.id).values(run_at=later))
    run()
    early = rung(broker, lane)
    run(later)

    assert (early, rung(broker, lane)) == (False, True)


def test_a_late_job_expires_and_is_not_rung_for(run, broker, lane):
    lane.submit(job := lane.write(make_owner()))
    answer = run(job.deadline)

    assert lane.states() == ["expired"]
    assert answer["expired"] >= 1
    assert not rung(broker, lane)


def test_a_lost_job_is_taken_back_and_rung_for(run, broker, lane, sessions):
    lane.submit(job := lane.job("ledger.long"))
    now = datetime.now(UTC)
    with sessions.begin() as session:
        jobs.lease(session, job.id, until=now, now=now)
    answer = run()

    assert lane.states() == ["queued"]
    assert answer["taken_back"] >= 1
    assert rung(broker, lane)


def test_the_books_of_yesterdays_beats_are_cleared(run, sessions):
    kind = f"maintenance.{make_owner('look')}"
    now = datetime.now(UTC)

    def finished(when, application=None):
        job = make_job(kind=kind, application=application, principal=None)
        with sessions.begin() as session:
            jobs.submit(session, [job])
            done = {"state": "succeeded", "result": {}, "finished_at": when}
            session.execute(sa.update(Job).where(Job.id == job.id).values(**done))
        return job.id

    finished(now - DAY - timedelta(minutes=1))
    kept = {
        finished(now - DAY + timedelta(minutes=1)),
        finished(now - 1_000 * DAY, application="commons"),
    }
    run()

    with sessions() as session:
        assert set(session.scalars(sa.select(Job.id).where(Job.kind == kind))) == kept


def test_a_broker_that_is_away_does_not_keep_it_from_its_work(run, lane, monkeypatch):
    monkeypatch.setattr("celeryconfig.broker_url", None)
    lane.submit(job := lane.write(make_owner()))
    answer = run(job.deadline)

    assert lane.states() == ["expired"]
    assert answer["rung"] == 0


def test_a_broker_that_is_away_is_tried_for_one_lane_only(run, sessions, monkeypatch):
    """Sixty-four lanes at a second each would keep its transaction open for long."""
    tried = []
    monkeypatch.setattr(maintenance, "ring", lambda *lane: tried.append(lane))
    for _ in range(5):
        lane = Lane(sessions)
        lane.submit(lane.write(make_owner()))
    run()

    assert len(tried) == 1


def test_logins_long_over_are_forgotten_and_keys_rotated(session):
    now = datetime.now(UTC) + 400 * DAY
    user = make_user(session)
    old, new = (
        logins.start(session, user.id, device=None, now=began).login.id
        for began in (now - 90 * DAY, now)
    )
    first, second = (tend_logins(session, make_claim(), now=now) for _ in range(2))
    session.expire_all()

    assert (first["rotated"], second["rotated"]) == (True, False)
    assert first["forgotten"] >= 1
    assert session.get(logins.Login, old) is None
    assert session.get(logins.Login, new) is not None


def test_samples_and_quiet_cycles_long_over_take_less_room(session):
    group, then = make_owner("group"), NOW - 2 * DAY
    for number in range(60):
        at = then + number * timedelta(seconds=5)
        workload.store(session, workload.Sample(at=at, seconds=5.0))
    deciding.record(session, group, 60, at=then)
    first, second = (roll_up(session, make_claim(), now=NOW) for _ in range(2))

    assert (first, second) == (
        {"samples": 60, "actions": 59},
        {"samples": 0, "actions": 0},
    )
    assert [one.seconds for one in workload.since(session, then - DAY)] == [300.0]
    assert [one.cycles for one in scaling.since(session, group, at=then)] == [60]


def test_heartbeats_of_an_hour_ago_are_forgotten(session):
    kind = make_owner("ledger.kind")
    for ago in (61, 59):
        presence = make_presence(name=kind)
        done = [workers.Done(kind, ago, 0, 0, 0.0, 0.0)]
        workers.beat(session, presence, done, now=NOW - timedelta(minutes=ago))
    roll_up(session, make_claim(), now=NOW)

    told = sa.select(workers.Work.jobs).where(workers.Work.kind == kind)
    alive = sa.select(workers.Worker.name).where(workers.Worker.name == kind)
    assert session.scalars(told).all() == [59]
    assert session.scalars(alive).all() == [kind]
