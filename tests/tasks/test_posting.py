"""One attempt to deliver: to a receiver that is there, and never to what is ours."""

import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from domain import webhooks
from domain.ids import uuid7
from domain.webhooks import Chosen
from tasks import _posting
from tasks._posting import BODY_BYTES_KEPT, post
from tests.receiver import receiving

SECRET = "of this test"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


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
