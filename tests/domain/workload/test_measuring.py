"""What waits, runs, comes and is done is measured; nothing that is there is missed."""

from contextlib import ExitStack
from datetime import timedelta
from uuid import UUID

import psycopg2
import pytest
import sqlalchemy as sa

from domain import jobs, webhooks, workers, workload
from domain.ids import uuid7
from domain.jobs import Job
from domain.webhooks import Attempt
from domain.webhooks.record import ASKED, Delivery
from domain.workers import Done
from domain.workload import DELIVER, KindLoad, QueueLoad, measuring
from tests.factories import NOW, make_job, make_owner, make_presence

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def queue():
    """A queue no other test has."""
    return make_owner("queue")


@pytest.fixture
def submit(session, queue):
    """Submit so many jobs, each changed as told."""

    def submit(count=1, *, ago=1, lane=0, **changed):
        then = NOW - ago * SECOND
        fields = {"queue": queue, "lane": lane, "submitted_at": then}
        made = [make_job(**fields, deadline=then + DAY) for _ in range(count)]
        jobs.submit(session, made)
        ids = [job.id for job in made]
        if changed:
            session.execute(sa.update(Job).where(Job.id.in_(ids)).values(**changed))
        return ids

    return submit


def id_at(at):
    """Return an id of a moment, as the API's are."""
    within = uuid7().int & (1 << 80) - 1
    milliseconds = int(at.timestamp() * 1000 + 0.5)
    return UUID(int=milliseconds << 80 | within)


def measured(session, queue):
    return workload.queues(session, now=NOW).get(queue)


# Queues


def test_a_queue_at_rest_is_missing(session, queue, submit):
    submit(state="succeeded", result={}, finished_at=NOW)

    assert measured(session, queue) is None


def test_what_waits_is_counted_over_all_lanes_and_the_oldest_is_told(
    session, queue, submit
):
    submit(3, ago=2)
    submit(2, ago=9, lane=5)

    assert measured(session, queue) == QueueLoad(ready=5, lanes=2, oldest=9.0)


def test_a_retry_waits_since_it_was_due(session, queue, submit):
    submit(ago=600, run_at=NOW - 4 * SECOND, attempts=1)

    assert measured(session, queue) == QueueLoad(ready=1, lanes=1, oldest=4.0)


def test_what_is_due_later_is_not_ready_and_not_old(session, queue, submit):
    submit(2, ago=600, run_at=NOW + SECOND, attempts=1)

    assert measured(session, queue) == QueueLoad(delayed=2)


def test_a_job_past_its_deadline_needs_nobody(session, queue, submit):
    submit(2, ago=600, deadline=NOW)
    late_alone = measured(session, queue)
    submit(ago=3)

    assert late_alone is None
    assert measured(session, queue) == QueueLoad(ready=1, lanes=1, oldest=3.0)


def test_what_runs_under_a_lease_is_running(session, queue, submit):
    (leased,) = submit(ago=60)
    jobs.lease(session, leased, until=NOW + SECOND, now=NOW)
    alone = measured(session, queue)
    submit(ago=2)

    assert alone == QueueLoad(running=1)
    assert measured(session, queue) == QueueLoad(
        ready=1, lanes=1, running=1, oldest=2.0
    )


def test_a_clock_that_is_behind_makes_no_job_younger_than_new(session, queue, submit):
    submit(ago=-3)

    assert measured(session, queue) == QueueLoad(ready=1, lanes=1, oldest=0.0)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(measuring, "COUNTED_MAX", 12)
    monkeypatch.setattr(measuring, "COUNTED_EACH", 2)


@pytest.mark.usefixtures("few")
def test_more_than_enough_is_not_counted_to_its_end(session, queue, submit):
    submit(20, ago=3)

    assert measured(session, queue) == QueueLoad(ready=12, lanes=1, oldest=3.0)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("lanes", "counted"), [(3, 12), (6, 12), (10, 20)])
def test_lanes_share_what_is_counted_and_each_is_heard(
    session, queue, submit, lanes, counted
):
    for lane in range(lanes):
        submit(5, ago=3, lane=lane)
    submit(ago=90, lane=lanes)

    found = measured(session, queue)
    assert counted - lanes <= found.ready <= counted + 1
    assert found.oldest == 90.0


# Webhooks


@pytest.fixture
def application(session):
    """An application no other test has, and no deliveries but its own."""
    session.execute(sa.text("DELETE FROM webhook_deliveries"))
    return make_owner("application")


@pytest.fixture
def listen(session, application):
    def listen(pings, *, ago=0):
        endpoint = webhooks.create(
            session,
            application=application,
            url="https://example.org/",
            events=["job.failed"],
            now=NOW,
        )
        for _ in range(pings):
            webhooks.ping(
                session, endpoint, request_id=None, trace=None, now=NOW - ago * SECOND
            )
        return endpoint

    return listen


def test_deliveries_wait_are_sent_and_are_tried_again_later(session, listen):
    listen(5, ago=7)
    chosen = webhooks.choose(session, count=2, now=NOW)
    failed = Attempt(chosen[0], NOW, 5, 500, retry_after=timedelta(minutes=1))
    webhooks.record(session, [failed], now=NOW)

    expected = QueueLoad(ready=3, delayed=1, running=1, oldest=7.0)
    assert measured(session, "webhooks") == expected


def test_a_delivery_somebody_fell_silent_over_waits_again(session, listen):
    listen(1, ago=7)
    webhooks.choose(session, count=1, now=NOW - 3 * SECOND)
    session.execute(sa.update(Delivery).values(due_at=NOW - 2 * SECOND))

    assert measured(session, "webhooks") == QueueLoad(ready=1, oldest=2.0)


def test_what_is_delivered_or_for_a_disabled_endpoint_needs_nobody(session, listen):
    listen(1)
    (chosen,) = webhooks.choose(session, count=1, now=NOW)
    webhooks.record(session, [Attempt(chosen, NOW, 5, 204)], now=NOW)
    webhooks.keeping.disable(listen(3), because=ASKED, now=NOW)
    session.flush()

    assert measured(session, "webhooks") is None


def test_deliveries_and_jobs_of_their_queue_are_one_queue(session, listen):
    listen(2, ago=5)
    job = make_job(queue="webhooks", submitted_at=NOW - 8 * SECOND, deadline=NOW + DAY)
    jobs.submit(session, [job])

    found = measured(session, "webhooks")
    assert (found.ready, found.oldest) == (3, 8.0)


def test_what_waits_for_its_receiver_waits_for_no_worker(session, listen):
    """A slow receiver is sent eight at once; more workers would have nothing to do."""
    listen(30, ago=400)
    webhooks.choose(session, count=100, now=NOW)

    assert measured(session, "webhooks") == QueueLoad(delayed=22, running=8)


def test_a_slow_receiver_makes_nobody_elses_events_old(session, listen):
    listen(30, ago=400)
    webhooks.choose(session, count=100, now=NOW)
    listen(3, ago=2)

    found = measured(session, "webhooks")
    assert (found.ready, found.delayed, found.oldest) == (3, 22, 2.0)


def test_only_as_many_are_ready_as_may_be_sent_at_once(session, listen):
    """Eight to an endpoint, and sixteen to all of an application."""
    listen(30, ago=5)
    one = measured(session, "webhooks")
    for _ in range(3):
        listen(30, ago=5)
    four = measured(session, "webhooks")
    chosen = webhooks.choose(session, count=100, now=NOW)

    assert (one.ready, one.delayed) == (8, 22)
    assert (four.ready, four.delayed) == (16, 104) == (len(chosen), 104)
    assert measured(session, "webhooks").ready == 0


@pytest.mark.usefixtures("few")
def test_many_that_are_due_hide_none_that_are_being_sent(session, listen):
    listen(30, ago=400)
    webhooks.choose(session, count=100, now=NOW)

    assert measured(session, "webhooks").running == 8


@pytest.mark.usefixtures("few")
def test_what_is_due_late_at_one_endpoint_hides_nothing_of_another(session, listen):
    far = listen(50)
    due_late = sa.update(Delivery).where(Delivery.endpoint_id == far.id)
    session.execute(due_late.values(due_at=NOW + DAY))
    listen(1, ago=30)

    expected = QueueLoad(ready=1, delayed=2, oldest=30.0)
    assert measured(session, "webhooks") == expected


# Kinds


@pytest.fixture
def kind():
    return make_owner("ledger.kind")


def kinds(session, since, until):
    return workload.kinds(
        session, since=NOW + since * SECOND, until=NOW + until * SECOND
    )


@pytest.fixture
def arrive(session, queue, kind):
    """Submit a job so many seconds from now, as the API does: its id is of then."""

    def arrive(seconds):
        job = make_job(id=id_at(NOW + seconds * SECOND), kind=kind, queue=queue)
        jobs.submit(session, [job])
        return job.id

    return arrive


def test_what_came_is_counted_once_however_time_is_parted(session, arrive, kind):
    """From the first moment of a stretch on, up to the first of the next."""
    for seconds in (-0.001, 0, 0.001, 4.999, 5, 9.999, 10):
        arrive(seconds)

    first, second = kinds(session, 0, 5)[kind], kinds(session, 5, 10)[kind]
    assert (first, second) == (KindLoad(arrived=3), KindLoad(arrived=2))


def test_what_came_is_counted_whatever_became_of_it(session, arrive, kind):
    _, ended = arrive(1), arrive(2)
    done = {"state": "succeeded", "result": {}, "finished_at": NOW}
    session.execute(sa.update(Job).where(Job.id == ended).values(**done))

    assert kinds(session, 0, 5)[kind].arrived == 2


def test_what_comes_round_by_the_clock_is_no_arrival(session, queue, kind):
    """Nor is it counted when it is done; the two would not fit together."""
    made = {"kind": kind, "queue": queue, "id": id_at(NOW + SECOND)}
    periodic = make_job(**made, application=None, request_id=None)
    jobs.submit(session, [periodic])
    by_the_clock = kind in kinds(session, 0, 5)
    mail = make_job(**made | {"id": id_at(NOW + SECOND)}, application=None)
    jobs.submit(session, [mail._replace(request_id="asked-for")])

    assert not by_the_clock
    assert kinds(session, 0, 5)[kind].arrived == 1


def test_what_was_done_is_added_up_over_workers_and_beats(session, kind):
    for at, jobs_done in ((0, 500), (3, 20), (5, 7)):
        workers.beat(
            session,
            make_presence(),
            [Done(kind, jobs_done, 2, 1, 0.5, 0.25)],
            now=NOW + at * SECOND,
        )

    assert kinds(session, 0, 5)[kind] == KindLoad(
        finished=520, refused=4, failed=2, seconds=1.0, cpu_seconds=0.5
    )
    assert kind not in kinds(session, 6, 9)


def test_events_for_webhooks_came_to_be_delivered(session, listen):
    listen(3, ago=2)
    listen(2, ago=9)

    assert kinds(session, -5, 0)[DELIVER] == KindLoad(arrived=3)
    assert DELIVER not in kinds(session, -2, -2)


# Workers and the database


def test_workers_are_counted_by_group_and_those_with_a_job_in_hand(session):
    idle, some = make_owner("group"), make_owner("group")
    for group, busy, ago in [(some, 0, 1), (some, 3, 1), (some, 1, 11), (idle, 0, 1)]:
        presence = make_presence(worker_group=group, busy=busy)
        workers.beat(session, presence, [], now=NOW - ago * SECOND)
    found = workload.crews(session, now=NOW)

    assert (found[some].alive, found[some].busy) == (2, 1)
    assert (found[idle].alive, found[idle].busy) == (1, 0)
    assert make_owner("group") not in found


def test_connections_of_every_login_are_counted(sessions, database_url):
    """Our role may not look at other sessions; that must not make them none."""
    with ExitStack() as opened:
        for _ in range(3):
            connection = psycopg2.connect(database_url)
            opened.callback(connection.close)
        with sessions() as session:
            found = workload.database(session, commit_ms=1.5)

    assert 4 <= found.connections <= found.connections_max
    assert found.commit_ms == 1.5
