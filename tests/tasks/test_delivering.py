"""Many webhooks at once: each sent, each once, whoever is slow or gone."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from domain import webhooks
from domain.webhooks import EVENTS
from domain.webhooks.record import Delivery, Endpoint
from domain.workload import DELIVER
from tasks import _busy, _delivering, _done, _doorbell, _poll
from tasks._delivering import deliver
from tasks.maintenance import reconcile
from tasks.webhooks import KEPT, tidy
from tests.factories import make_claim, make_owner
from tests.receiver import receiving
from tests.waiting import eventually

SECRET = "of this test"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Desk:
    """Endpoints of applications of this test's own, gone at its end."""

    def __init__(self, sessions):
        self.sessions = sessions
        self.made = []

    def listen(self, url, application=None, *events):
        with self.sessions.begin() as session:
            endpoint = webhooks.create(
                session,
                application=application or make_owner("application"),
                url=url,
                events=events or EVENTS,
                now=datetime.now(UTC),
            )
        self.made.append(endpoint.id)
        return endpoint

    def ping(self, endpoint, times=1):
        with self.sessions.begin() as session:
            found = session.get(Endpoint, endpoint.id)
            now = datetime.now(UTC)
            return [
                webhooks.ping(session, found, request_id=None, trace=None, now=now).id
                for _ in range(times)
            ]

    def rows(self, endpoint):
        own = sa.select(Delivery).where(Delivery.endpoint_id == endpoint.id)
        with self.sessions() as session:
            return session.scalars(own.order_by(Delivery.position)).all()

    def states(self, endpoint):
        return [row.state for row in self.rows(endpoint)]

    def make_due(self):
        waiting = sa.update(Delivery).where(Delivery.state == "waiting")
        with self.sessions.begin() as session:
            session.execute(waiting.values(due_at=datetime.now(UTC)))

    def close(self):
        now = datetime.now(UTC)
        with self.sessions.begin() as session:
            for endpoint_id in self.made:
                webhooks.remove(session.get(Endpoint, endpoint_id), now=now)


@pytest.fixture
def desk(sessions, monkeypatch):
    monkeypatch.setenv("WEBHOOK_LOOPBACK", "on")
    monkeypatch.setenv("TOKEN_SECRET", SECRET)
    desk = Desk(sessions)
    yield desk
    desk.close()


def test_a_write_is_told_to_who_listens(desk, receiver, lane, broker):
    endpoint = desk.listen(receiver.url, "commons", "job.succeeded", "transfer.posted")
    job = lane.write(make_owner(), request_id="r-9", trace=TRACE)
    lane.submit(job)
    lane.drain()
    rung = broker.exists("coin:rung:webhooks:0")
    deliver()

    assert rung == 1
    assert sorted(receiver.types()) == ["job.succeeded", "transfer.posted"]
    secret = webhooks.secret_of(endpoint.salt, secret=SECRET)
    for received in receiver.received:
        assert received.verify(secret)["data"]["job_id"] == str(job.id)
        assert received.headers["X-Request-ID"] == "r-9"
        assert received.headers["traceparent"] == TRACE
    assert desk.states(endpoint) == ["delivered"] * 2


def test_where_nobody_listens_nobody_is_rung_for(desk, receiver, lane, broker):
    desk.listen(receiver.url, "content")
    broker.delete("coin:rung:webhooks:0")
    lane.submit(lane.write(make_owner()))
    lane.drain()

    assert broker.exists("coin:rung:webhooks:0") == 0


def test_many_are_sent_each_once(desk, receiver):
    endpoint = desk.listen(receiver.url)
    ids = desk.ping(endpoint, 200)
    deliver()

    sent = [received.headers["webhook-id"] for received in receiver.received]
    assert sorted(sent) == sorted(f"msg_{one.hex}" for one in ids)
    assert set(desk.states(endpoint)) == {"delivered"}


def test_workers_that_send_at_once_send_each_once(desk, receiver):
    endpoint = desk.listen(receiver.url)
    desk.ping(endpoint, 100)
    # Each as in a process of its own: with a lock that others do not know.
    threads = [threading.Thread(target=_turn_of_another_process) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    sent = [received.headers["webhook-id"] for received in receiver.received]
    assert len(sent) == len(set(sent)) == 100


def _turn_of_another_process():
    with _delivering.ThreadPoolExecutor(_delivering.AT_ONCE) as pool:
        _delivering._wait_for(_delivering._take_turn(pool))


def test_what_failed_is_tried_again_and_then_delivered(desk, receiver):
    endpoint = desk.listen(receiver.url)
    (delivery_id,) = desk.ping(endpoint)
    receiver.answer = (500, {}, b"no")
    deliver()
    (row,) = desk.rows(endpoint)
    assert (row.state, row.attempts) == ("waiting", 1)
    assert row.due_at > datetime.now(UTC) - timedelta(seconds=30)

    receiver.answer = (204, {}, b"")
    desk.make_due()
    deliver()

    with desk.sessions() as session:
        log = webhooks.attempts_of(session, session.get(Delivery, delivery_id))
    assert [(one.number, one.status, one.body) for one in log] == [
        (1, 500, "no"),
        (2, 204, ""),
    ]
    ids = {received.headers["webhook-id"] for received in receiver.received}
    assert len(ids) == 1


def test_every_post_is_counted_and_is_in_hand_while_it_lasts(desk, receiver):
    during, few = [], threading.Barrier(3)

    def answer(_received):
        few.wait(10)
        during.append(_busy.count())
        few.wait(10)
        return (500 if len(receiver.received) > 3 else 204, {}, b"")

    receiver.answer = answer
    _done.take()
    endpoint = desk.listen(receiver.url)
    for _ in range(2):
        desk.ping(endpoint, 3)
        deliver()
    (done,) = _done.take()

    assert set(during) == {3}
    assert (done.kind, done.jobs, done.refused, done.failed) == (DELIVER, 6, 0, 3)
    assert 0 < done.cpu_seconds < done.seconds
    assert _busy.count() == 0


def test_who_is_gone_is_asked_no_more(desk, receiver):
    endpoint = desk.listen(receiver.url)
    desk.ping(endpoint)
    receiver.answer = (410, {}, b"")
    deliver()
    with desk.sessions() as session:
        shown = session.get(Endpoint, endpoint.id).describe()

    assert (shown["enabled"], shown["disabled_because"]) == (False, "gone")
    assert desk.states(endpoint) == ["failed"]


def test_a_slow_receiver_delays_no_other(desk, receiver):
    """Neither those of other applications, nor what comes while it is waited for."""
    may = threading.Event()
    with receiving() as slow:
        slow.answer = lambda _received: may.wait(20) and (204, {}, b"")
        desk.ping(desk.listen(slow.url), 100)
        quick = desk.listen(receiver.url)
        desk.ping(quick, 20)
        sending = threading.Thread(target=deliver)
        sending.start()
        try:
            eventually(lambda: len(receiver.received) == 20, within=5)
            desk.ping(quick)
            eventually(lambda: len(receiver.received) == 21, within=5)
            reached = len(slow.received)
        finally:
            may.set()
            sending.join()

    assert 0 < reached <= webhooks.sending.EACH_MAX


def test_while_the_last_of_a_turn_is_waited_for_another_turn_begins(
    desk, receiver, monkeypatch
):
    may = threading.Event()
    monkeypatch.setattr(_delivering, "_TURN_SECONDS", 0.2)
    with receiving() as slow:
        slow.answer = lambda _received: may.wait(20) and (204, {}, b"")
        late = desk.listen(slow.url)
        desk.ping(late)
        waiting = threading.Thread(target=deliver)
        waiting.start()
        try:
            eventually(lambda: slow.received and not _delivering._choosing.locked())
            desk.ping(desk.listen(receiver.url))
            deliver()
            reached = receiver.types()
        finally:
            may.set()
            waiting.join()

    assert reached == ["webhook.ping"]
    assert desk.states(late) == ["delivered"]


def test_who_rings_while_another_chooses_is_heard(desk, receiver, monkeypatch):
    """The one that chooses looks once more after it has let go."""
    endpoint = desk.listen(receiver.url)
    take_turn = _delivering._take_turn
    rung = []

    def last_look(pool):
        late = take_turn(pool)
        if not rung:
            rung.append(True)
            desk.ping(endpoint)
            other = threading.Thread(target=deliver)
            other.start()
            other.join()
        return late

    monkeypatch.setattr(_delivering, "_take_turn", last_look)
    deliver()

    assert desk.states(endpoint) == ["delivered"]


def test_a_database_that_goes_away_loses_nothing(desk, receiver, monkeypatch):
    endpoint = desk.listen(receiver.url)
    desk.ping(endpoint)

    def away(*_arguments, **_options):
        raise sa.exc.OperationalError("", {}, Exception())

    with monkeypatch.context() as patch:
        record = webhooks.record
        patch.setattr(
            webhooks, "record", lambda s, a, **o: away() if a else record(s, a, **o)
        )
        deliver()
    lost = desk.states(endpoint)
    with desk.sessions.begin() as session:
        session.execute(
            sa.update(Delivery)
            .where(Delivery.state == "sending")
            .values(due_at=datetime.now(UTC))
        )
    deliver()

    assert (lost, desk.states(endpoint)) == (["sending"], ["delivered"])


def test_what_is_due_is_rung_for_by_the_reconciler(desk, receiver, broker, sessions):
    def rung():
        broker.delete("coin:rung:webhooks:0")
        with sessions.begin() as session:
            reconcile(session, make_claim(), now=datetime.now(UTC))
        return broker.exists("coin:rung:webhooks:0")

    endpoint = desk.listen(receiver.url)
    before = rung()
    desk.ping(endpoint)
    due = rung()
    deliver()

    assert (before, due, rung()) == (0, 1, 0)


def test_what_is_old_is_forgotten(desk, receiver, sessions):
    endpoint = desk.listen(receiver.url)
    desk.ping(endpoint)
    answers = []
    for later in (KEPT - timedelta(hours=1), KEPT + timedelta(hours=1)):
        with sessions.begin() as session:
            now = datetime.now(UTC) + later
            answers.append(tidy(session, make_claim(), now=now)["forgotten"])

    assert answers[0] == 0
    assert answers[1] >= 1
    assert desk.rows(endpoint) == []


def test_the_doorbell_has_the_queue_of_this_file():
    assert _doorbell.WEBHOOKS[0] == "webhooks"


def test_a_worker_that_polls_sends_and_ends_as_a_whole(desk, receiver, monkeypatch):
    """What looks for deliveries must not outlive what looks for jobs."""
    endpoint = desk.listen(receiver.url)
    desk.ping(endpoint)

    def broken(_slots):
        eventually(lambda: desk.states(endpoint) == ["delivered"])
        raise RuntimeError("broken")

    monkeypatch.setattr(_poll, "submit_due", broken)
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="broken"):
        _poll.poll(threading.Event())

    assert threading.active_count() <= before
