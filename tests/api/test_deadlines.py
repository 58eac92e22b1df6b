"""How a connection ends: it took too long, or the worker was asked to stop."""

import json
import socket
import threading
import time
from contextlib import suppress
from math import inf

import pytest

from api import connection as module
from api.connection import Stage
from tests.api.serving import (
    CHUNKED,
    GET,
    MORE_THAN_FITS,
    SECONDS,
    Body,
    answering,
    echo,
)
from tests.end_to_end.wire import request
from tests.waiting import eventually

SOON = 0.05


def test_an_idle_connection_is_closed_without_a_word(serve, monkeypatch):
    monkeypatch.setattr(module, "IDLE_SECONDS", SOON)
    wire = serve(echo)
    wire.send(GET).answer()

    wire.sweep()

    assert wire.all() == b""
    assert wire.ended()


@pytest.mark.parametrize("sent", [GET[:9], request("POST", "/", CHUNKED) + b"1\r\na"])
def test_a_request_that_comes_too_slowly_is_408(serve, monkeypatch, sent):
    """RFC 9110 §15.5.9."""
    monkeypatch.setattr(module, "REQUEST_SECONDS", SOON)
    wire = serve(echo).send(sent).in_stage(Stage.RECEIVING)

    wire.sweep()

    status, headers, body = wire.answer()
    assert (status, headers["Connection"]) == (408, "close")
    assert json.loads(body)["code"] == "request_timeout"
    assert wire.ended()


def test_a_request_is_not_late_because_it_waited_for_an_answer(serve, held):
    wire = serve(held).send(GET + GET[:9])
    assert eventually(lambda: held.calls)

    released = time.monotonic()
    held.may.set()

    wire.answer()
    wire.in_stage(Stage.RECEIVING)
    assert wire.connection.deadline >= released + module.REQUEST_SECONDS


def test_more_of_a_request_brings_no_more_time(serve):
    wire = serve(echo).send(request("POST", "/", CHUNKED)).in_stage(Stage.RECEIVING)
    deadline = wire.connection.deadline
    request_under_way = wire.connection._arrivals.current

    wire.send(b"1\r\na\r\n")
    eventually(lambda: request_under_way.size)

    assert wire.connection.deadline == deadline < inf


def test_a_request_without_end_is_ended_though_more_arrives(serve, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_SECONDS", SOON)
    wire = serve(echo).send(request("POST", "/", CHUNKED)).in_stage(Stage.RECEIVING)

    def flood():
        with suppress(OSError):
            while True:
                wire.socket.sendall(b"1;" + b"a" * 10_000 + b"\r\na\r\n")

    flooding = threading.Thread(target=flood)
    flooding.start()
    wire.sweep()

    assert wire.ended()
    with suppress(OSError):
        wire.socket.shutdown(socket.SHUT_RDWR)
    flooding.join(SECONDS)


@pytest.mark.parametrize("make", [list, Body], ids=["whole", "stream"])
def test_who_does_not_read_an_answer_is_hung_up_on(serve, monkeypatch, make):
    monkeypatch.setattr(module, "SEND_SECONDS", SOON)
    body = [MORE_THAN_FITS] if make is list else Body(MORE_THAN_FITS)
    wire = serve(answering(body)).send(GET).in_stage(Stage.SENDING)

    wire.sweep()

    assert wire.ended()
    assert make is list or body.closed.is_set()


def test_who_reads_none_of_it_is_waited_for_a_while(serve, monkeypatch):
    """RFC 9112 §9.6: and no longer."""
    monkeypatch.setattr(module, "LINGER_SECONDS", SOON)
    wire = serve(echo).send(b"hello\r\n\r\n")
    assert wire.answer()[0] == 501

    wire.sweep()

    assert wire.ended()


def test_an_application_has_as_long_as_it_takes(serve, held):
    wire = serve(held).send(GET)

    assert eventually(lambda: held.calls)

    assert wire.connection.deadline == inf


def test_asked_to_stop_an_idle_connection_ends(serve):
    wire = serve(echo)
    wire.send(GET).answer()

    wire.in_stage(Stage.IDLE).connection.stop()

    assert wire.all() == b""


def test_asked_to_stop_a_request_under_way_is_heard_out(serve):
    """RFC 9112 §9.6."""
    wire = serve(echo).send(request("POST", "/", "Content-Length: 2"))
    wire.in_stage(Stage.RECEIVING).connection.stop()

    status, headers, body = wire.send(b"ab").answer()

    assert (status, headers["Connection"], body) == (200, "close", b"/ab")
    assert wire.closed()


def test_asked_to_stop_an_answer_under_way_is_the_last(serve, held):
    wire = serve(held).send(GET, request("GET", "/again"))
    assert eventually(lambda: held.calls)

    wire.connection.stop()
    held.may.set()

    assert wire.answer()[1]["Connection"] == "close"
    assert (wire.all(), held.calls) == (b"", 1)


def test_asked_to_stop_what_has_arrived_is_answered(serve):
    may, body = threading.Event(), Body(b"a")
    wire = serve(answering(body))
    body.close = lambda: may.wait(SECONDS) and wire.connection.stop()
    first = wire.send(GET).answer()

    wire.send(GET)
    may.set()

    connections = [headers["Connection"] for _, headers, _ in (first, wire.answer())]
    assert connections == ["keep-alive", "close"]


def test_asked_to_stop_nobody_is_blamed_for_half_a_request(serve, held):
    wire = serve(held).send(request("POST", "/", "Content-Length: 9"))
    wire.in_stage(Stage.RECEIVING).connection.stop()

    wire.socket.shutdown(socket.SHUT_WR)

    assert (wire.all(), held.calls) == (b"", 0)
