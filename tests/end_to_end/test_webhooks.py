"""From a write over TCP to the receiver's own door, by Celery's processes."""

import threading
import time

import pytest

from tests.factories import make_owner
from tests.receiver import receiving
from tests.waiting import eventually

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def operation(owner):
    nonce = make_owner("nonce")
    return {"owner_id": owner, "operation": "CREDIT_ADD", "nonce": nonce}


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def listen(client):
    """Return what registers a receiver; it is told nothing after the test."""
    made = []

    def listen(receiver, *events):
        body = {"url": receiver.url, "events": events}
        status, headers, said = client.ask("POST", "/api/webhooks", body)
        assert status == 201
        made.append(headers["Location"])
        return said

    yield listen
    for path in made:
        client.ask("DELETE", path)


def test_a_write_is_told_with_its_request_and_trace(client, receiver, listen):
    webhook = listen(receiver, "transfer.posted", "job.succeeded")
    named = {"X-Request-ID": "r-10", "traceparent": TRACE}
    _, _, said = client.ask(
        "POST", "/ledger", operation(make_owner()), Prefer="wait=30", **named
    )
    eventually(lambda: len(receiver.received) == 2, within=20)

    told = {one.said["type"]: one for one in receiver.received}
    for one in told.values():
        assert (
            one.verify(webhook["secret"])["data"]["job_id"]
            == (said["transfer"]["job_id"])
        )
        assert one.headers["X-Request-ID"] == "r-10"
        assert one.headers["traceparent"] == TRACE
    transfer = told["transfer.posted"].said["data"]["transfer_id"]
    assert client.get(f"/ledger/transfers/{transfer}")["id"] == transfer


def test_a_receiver_is_told_soon(client, receiver, listen):
    """Without the reconciler, which comes round every five seconds."""
    listen(receiver, "job.succeeded")
    began = time.monotonic()
    for number in range(1, 4):
        client.done("/ledger", operation(make_owner()))
        eventually(lambda n=number: len(receiver.received) == n)

    assert time.monotonic() - began < 5


def test_the_ledger_waits_for_no_receiver(client, receiver, listen):
    may = threading.Event()
    receiver.answer = lambda _received: may.wait(30) and (204, {}, b"")
    listen(receiver, "job.succeeded", "transfer.posted")
    try:
        client.done("/ledger", operation(make_owner()))
        eventually(lambda: receiver.received, within=20)
        began = time.monotonic()
        for _ in range(20):
            assert client.done("/ledger", operation(make_owner()))[0] == 201
        took = time.monotonic() - began
    finally:
        may.set()

    assert took < 10


def test_a_ping_is_answered_and_logged(client, receiver, listen):
    webhook = listen(receiver, "job.failed")
    path = f"/api/webhooks/{webhook['id']}"
    status, headers, _ = client.ask("POST", f"{path}/ping")
    eventually(
        lambda: client.get(headers["Location"])["state"] == "delivered", within=20
    )

    assert status == 202
    assert receiver.types() == ["webhook.ping"]
    (attempt,) = client.get(headers["Location"])["log"]
    assert (attempt["number"], attempt["status"]) == (1, 204)
