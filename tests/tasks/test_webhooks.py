"""Webhooks as they are sent: to receivers that are there, and never to what is ours."""

import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from domain import webhooks
from domain.ids import uuid7
from domain.webhooks import EVENTS, Chosen
from domain.webhooks.record import Delivery, Endpoint
from tasks import _delivering, _doorbell, _poll, _posting
from tasks._delivering import deliver
from tasks._posting import BODY_BYTES_KEPT, post
from tasks.maintenance import reconcile
from tasks.webhooks import KEPT, tidy
from tests.factories import make_claim, make_owner
from tests.receiver import receiving
from tests.waiting import eventually

SECRET = "of this test"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


def chosen_for(url, **fields):
    """Return a delivery to be sent, of an endpoint that is stored nowhere."""
    return Chosen(
        **{
            "id": uuid7(),
            "attempts": 1,
            "tries": 1,
            "type": "job.succeeded",
            "at": datetime.now(UTC),
            "data": {"job_id": "1"},
            "request_id": "r-1",
            "trace": TRACE,
            "endpoint_id": uuid7(),
            "url": url,
            "salt": b"salt",
            "previous_salt": None,
            "previous_until": None,
            **fields,
        }
    )


def send(url, *, loopback=True, ask=None, **fields):
    given = {} if ask is None else {"ask": ask}
    return post(chosen_for(url, **fields), secret=SECRET, loopback=loopback, **given)


# One attempt


def test_what_is_sent_verifies_by_the_rules(receiver):
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    attempt = send(receiver.url, at=at)
    (received,) = receiver.received

    assert (attempt.status, attempt.error, attempt.succeeded) == (204, None, True)
    assert received.verify(webhooks.secret_of(b"salt", secret=SECRET)) == {
        "type": "job.succeeded",
        "timestamp": "2026-11-20T12:00:00+00:00",
        "data": {"job_id": "1"},
    }
    assert received.headers["webhook-id"] == f"msg_{attempt.delivery.id.hex}"
    assert abs(int(received.headers["webhook-timestamp"]) - time.time()) < 60
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["Host"] == f"127.0.0.1:{receiver.port}"


def test_request_and_trace_of_the_job_go_with_it(receiver):
    send(receiver.url)
    send(receiver.url, request_id=None, trace=None)
    first, second = receiver.received

    assert first.headers["X-Request-ID"] == "r-1"
    assert first.headers["traceparent"] == TRACE
    assert not {"X-Request-ID", "traceparent"} & second.headers.keys()


def test_both_secrets_verify_while_the_old_one_counts(receiver):
    until = datetime.now(UTC) + timedelta(hours=1)
    send(receiver.url, salt=b"new", previous_salt=b"old", previous_until=until)
    (received,) = receiver.received

    for salt in (b"new", b"old"):
        assert received.verify(webhooks.secret_of(salt, secret=SECRET))


def test_an_answer_is_kept_to_a_length(receiver):
    receiver.answer = (500, {}, b"\xff\0" + b"x" * 1_000_000)
    attempt = send(receiver.url)

    assert attempt.status == 500
    assert attempt.body == "\ufffd" + "x" * (BODY_BYTES_KEPT - 2)


def test_a_redirect_is_not_followed(receiver):
    with receiving() as inside:
        receiver.answer = (307, {"Location": inside.url}, b"")
        attempt = send(receiver.url)

    assert (attempt.status, attempt.succeeded) == (307, False)
    assert inside.received == []


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("-5", 0),
        ("soon", 0),
        ("9" * 40, 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
    ],
)
def test_a_receiver_says_when_to_come_again(receiver, asked, seconds):
    receiver.answer = (503, {"Retry-After": asked}, b"")
    wait = send(receiver.url).retry_after

    if seconds is None:
        assert wait < timedelta(0)
    else:
        assert wait == timedelta(seconds=seconds)


def test_a_receiver_may_name_the_time_to_come_again(receiver):
    at = datetime.now(UTC) + timedelta(hours=1)
    said = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    receiver.answer = (503, {"Retry-After": said}, b"")
    wait = send(receiver.url).retry_after

    assert timedelta(minutes=59) < wait <= timedelta(hours=1)


def test_a_slow_receiver_is_cut_off(receiver, monkeypatch):
    may = threading.Event()
    monkeypatch.setattr(_posting, "ATTEMPT_SECONDS", 0.3)
    receiver.answer = lambda _received: may.wait(10) and (204, {}, b"")
    attempt = send(receiver.url)
    may.set()

    assert (attempt.status, attempt.succeeded) == (None, False)
    assert attempt.error == "TimeoutError: no answer within 0.3 s"
    assert 300 <= attempt.ms < 3_000


def test_an_attempt_takes_less_than_its_lease():
    others = _posting._LOOK_UP_SECONDS + 2 * 5
    assert _posting.ATTEMPT_SECONDS + others < webhooks.sending.LEASE.total_seconds()


def test_whatever_goes_wrong_is_how_it_went(receiver):
    attempt = send(receiver.url, trace="a\r\nX-Evil: b")

    assert (attempt.status, receiver.received) == (None, [])
    assert attempt.error.startswith("ValueError")


# Where it must not go


def to(*addresses):
    """Return what looks names up, always to these addresses, and what it was asked."""
    asked = []

    def ask(host, port):
        asked.append((host, port))
        return addresses

    return ask, asked


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["0.0.0.0"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["::ffff:7f00:1"],
        ["64:ff9b::7f00:1"],
        ["fd00:ec2::254"],
        ["fe80::1%lo"],
        ["93.184.215.14", "127.0.0.1"],
        ["127.0.0.1", "93.184.215.14"],
        ["2606:4700:4700::1111", "::1"],
    ],
    ids=" ".join,
)
def test_a_name_that_leads_inside_is_refused(addresses, monkeypatch):
    monkeypatch.setattr(_posting, "exchange", None)
    ask, asked = to(*addresses)
    attempt = send("https://hooks.example/", loopback=False, ask=ask)

    assert asked == [("hooks.example", 443)]
    assert attempt.status is None
    assert attempt.error.startswith("AddressRefused: hooks.example leads to")


def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to(
    receiver, monkeypatch
):
    """A second look might find another address (DNS rebinding)."""
    answers = iter([["127.0.0.1"]])
    monkeypatch.setattr("socket.getaddrinfo", numbers_only(socket.getaddrinfo))
    attempt = send(
        f"http://localhost:{receiver.port}/hook", ask=lambda *_: next(answers)
    )

    assert attempt.status == 204
    assert receiver.received[0].headers["Host"] == f"localhost:{receiver.port}"


def numbers_only(getaddrinfo):
    """Let addresses through and refuse names."""

    def ask(host, *arguments, **options):
        assert host == "127.0.0.1", f"{host} was looked up again"
        return getaddrinfo(host, *arguments, **options)

    return ask


def test_a_url_that_has_become_bad_is_refused(receiver):
    attempt = send(receiver.url, loopback=False)

    assert receiver.received == []
    assert attempt.error.startswith("WebhookUrlRefused")


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f.1", "2130706433"])
def test_the_systems_own_way_to_read_an_address_is_checked_too(host):
    for address in _posting.look_up(host, 443):
        assert not webhooks.may_be_reached(address)


def test_an_address_that_does_not_answer_is_followed_by_another():
    ask, _ = to("a", "b")
    target = webhooks.read_target("https://hooks.example/")

    def address(tries, monkeypatch):
        monkeypatch.setattr(_posting, "may_be_reached", lambda *_, **__: True)
        return _posting._address(target, ask, tries, loopback=False)

    with pytest.MonkeyPatch.context() as patch:
        assert [address(tries, patch) for tries in range(3)] == ["a", "b", "a"]


def test_a_name_nobody_knows_is_a_failure():
    attempt = send("https://nobody.invalid/", loopback=False)

    assert attempt.status is None
    assert attempt.error


def test_a_resolver_that_is_slow_is_not_waited_for(monkeypatch):
    may = threading.Event()
    monkeypatch.setattr(_posting, "_LOOK_UP_SECONDS", 0.1)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: may.wait(10))
    attempt = send("https://hooks.example/", loopback=False)
    may.set()

    assert attempt.error.startswith("TimeoutError")


# Many of them


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
