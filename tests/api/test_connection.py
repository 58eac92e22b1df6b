"""One connection: what is asked on it, and what is answered."""

import json
import socket

import pytest
from gevent import socket as gevent_socket
from gevent import spawn

from api import connection as module
from api.arrival import BODY_BYTES_MAX
from api.connection import Connection, Stage
from tests.api.calling import PROBLEM
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

WISHES = {
    "HTTP/1.1": (GET, "keep-alive"),
    "close": (request("GET", "/", "Connection: close"), "close"),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", "close"),
    "keep-alive": (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"),
}


@pytest.mark.parametrize(("sent", "said"), WISHES.values(), ids=WISHES)
def test_a_connection_persists_as_asked(serve, sent, said):
    """RFC 9112 §9.3."""
    wire = serve(echo)

    status, headers, body = wire.send(sent).answer()

    assert (status, headers["Connection"], body) == (200, said, b"/")
    if said == "close":
        assert wire.closed()
    else:
        assert wire.send(GET).answer()[0] == 200


def test_requests_sent_ahead_are_answered_in_order(serve):
    """RFC 9112 §9.3.2."""
    wire = serve(echo)
    paths = [f"/{number}" for number in range(50)]

    wire.send(b"".join(request("POST", path, body=b"a") for path in paths))

    assert [wire.answer()[2].decode() for _ in paths] == [path + "a" for path in paths]


def test_of_requests_sent_ahead_one_piece_is_kept(serve, held):
    wire = serve(held)

    wire.send(GET * 2_000)
    wire.in_stage(Stage.ANSWERING)

    ready = wire.connection._arrivals.ready
    assert eventually(lambda: held.calls) == 1
    assert 0 < len(ready) * len(GET) <= module._CHUNK


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (GET * 3, ["served", "other", "served", "served"]),
        (request("POST", "/", body=b"a" * 100_000), ["other", "served"]),
        (b"hello\r\n\r\n" + b"a" * 100_000, ["other"]),
    ],
    ids=["requests ahead", "a large body", "what is not wanted"],
)
def test_whoever_sends_much_takes_turns_with_others(sent, expected):
    """Greenlets: one that never waits would be the only one."""
    ours, theirs = gevent_socket.socketpair()
    turns = []

    def app(environ, start):
        turns.append("served")
        return echo(environ, start)

    with ours, theirs:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        served = spawn(Connection(ours, {}, app).serve)
        spawn(lambda: turns.append("other" if not served.ready() else "too late"))
        served.join(SECONDS)

    assert turns == expected


@pytest.mark.parametrize("body", [[b"abc"], iter([b"abc"])], ids=["list", "stream"])
@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No"), ("GET", "304 No")]
)
def test_an_answer_that_has_no_body_gets_none(serve, method, status, body):
    """RFC 9112 §6.3: whatever the application gives; it would be the next answer."""
    wire = serve(answering(body, status=status))

    wire.send(request(method, "/"))

    head, headers, _ = wire.answer(method)
    assert head == int(status[:3])
    assert not {"Content-Length", "Transfer-Encoding"} & set(headers)
    assert wire.send(request(method, "/")).answer(method)[0] == head


def test_a_stream_goes_out_in_chunks(serve):
    """RFC 9112 §7.1."""
    wire = serve(answering(iter([b"abc", b"", b"d" * 20])))

    _, headers, body = wire.send(GET).answer()

    assert (headers["Transfer-Encoding"], body) == ("chunked", b"abc" + b"d" * 20)
    assert wire.send(GET).answer()[2] == b""


def test_a_stream_ends_with_the_connection_for_an_old_client(serve):
    """RFC 9112 §6.1, §6.3."""
    wire = serve(answering(iter([b"abc", b"de"])))

    wire.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    head, _, body = wire.all().partition(b"\r\n\r\n")

    assert (b"Connection: close" in head, b"chunked" in head) == (True, False)
    assert body == b"abcde"


def test_a_stream_of_a_known_length_goes_out_as_it_is(serve):
    """RFC 9112 §6.2."""
    wire = serve(answering(iter([b"abc"]), ("content-length", "3")))

    _, headers, body = wire.send(GET).answer()

    assert (headers["Transfer-Encoding"], body) == (None, b"abc")


@pytest.mark.parametrize("make", [list, iter])
@pytest.mark.parametrize(
    "wrong", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "\u2603"], ids=ascii
)
def test_a_head_that_cannot_be_is_a_bug(serve, make, wrong):
    """CWE-113."""
    wire = serve(answering(make([b"abc"]), ("X-A", wrong)))

    status, headers, body = wire.send(GET).answer()

    assert (status, headers["Content-Type"]) == (500, PROBLEM)
    assert json.loads(body)["code"] == "internal_error"
    assert "Set-Cookie" not in headers
    assert wire.closed()


ERRORS = [ValueError("secret"), TimeoutError("secret"), BrokenPipeError("secret")]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_application_that_fails_is_a_bug(serve, error, capsys):
    """RFC 9110 §15.6.1."""

    def app(_environ, _start):
        raise error

    status, headers, body = serve(app).send(GET).answer()

    assert (status, headers["Connection"]) == (500, "close")
    assert json.loads(body)["instance"] == headers["X-Request-ID"]
    assert b"secret" not in body
    assert "answer_broken" in capsys.readouterr().err


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_stream_that_fails_has_no_last_chunk(serve, error, capsys):
    """RFC 9112 §8: that is how a client can tell."""
    body = Body(b"abc", error, b"def")
    wire = serve(answering(body))

    said = wire.send(GET).all()

    assert said.endswith(b"\r\n\r\n3\r\nabc\r\n")
    assert body.closed.is_set()
    assert "answer_broken" in capsys.readouterr().err


def test_an_iterable_is_closed(serve):
    """PEP 3333."""
    body = Body(b"abc")

    serve(answering(body)).send(GET).answer()

    assert body.closed.wait(SECONDS)


def test_an_iterable_is_closed_though_the_client_has_gone(serve, capsys):
    body = Body(*[MORE_THAN_FITS] * 100)
    wire = serve(answering(body))

    wire.send(GET).socket.recv(10)
    wire.socket.close()
    wire._stream.close()

    assert body.closed.wait(SECONDS)
    assert wire.ended()
    assert capsys.readouterr().err == ""


def expecting(version="1.1", length=2):
    head = request("POST", "/", "Expect: 100-continue", f"Content-Length: {length}")
    return head.replace(b"1.1", version.encode())


def test_who_asks_whether_to_go_on_is_told(serve):
    """RFC 9110 §10.1.1."""
    wire = serve(echo).send(expecting())

    told = wire.socket.recv(100)

    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert wire.send(b"ab").answer()[2] == b"/ab"


@pytest.mark.parametrize(
    "sent",
    [
        expecting() + b"ab",
        expecting("1.0") + b"ab",
        expecting(length=BODY_BYTES_MAX + 1),
    ],
    ids=["has gone on", "HTTP/1.0", "may not"],
)
def test_nobody_else_is_told_to_go_on(serve, sent):
    wire = serve(echo).send(sent)

    assert wire.answer()[0] == 200


def chunks(size):
    return b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"a" * size)


@pytest.mark.parametrize("over", [0, 1, 8 * 2**20], ids=["at", "beyond", "far beyond"])
@pytest.mark.parametrize("by_length", [True, False], ids=["length", "chunks"])
def test_a_body_beyond_the_bound_is_answered_and_ends_it(serve, by_length, over):
    """RFC 9110 §15.5.14; RFC 9112 §9.6: though the client goes on to send all of it."""
    size = BODY_BYTES_MAX + over

    def app(environ, start):
        start("200 OK", [])
        read = len(environ["wsgi.input"].read(size))
        return [b"%d" % max(read, int(environ.get("CONTENT_LENGTH", 0)))]

    head = request("POST", "/", f"Content-Length: {size}" if by_length else CHUNKED)
    wire = serve(app).send(head, b"a" * size if by_length else chunks(size))

    _, headers, read = wire.answer()
    assert headers["Connection"] == ("close" if over else "keep-alive")
    assert BODY_BYTES_MAX + min(over, 1) <= int(read) <= size
    assert wire.closed() if over else wire.send(GET).answer()


def test_what_is_wrong_is_answered_after_what_was_right(serve):
    """RFC 9457 §3; RFC 9112 §9.6: what is sent after it does not lose the answer."""
    wire = serve(echo).send(GET, b"GET / HTTP/2.0\r\n\r\n" + b"a" * 2**20)

    first, second = wire.answer(), wire.answer()

    problem = json.loads(second[2])
    assert (first[0], second[0]) == (200, 505)
    assert (second[1]["Content-Type"], second[1]["Connection"]) == (PROBLEM, "close")
    assert (problem["status"], problem["code"]) == (505, "unsupported_http_version")
    assert problem["instance"] == second[1]["X-Request-ID"]


@pytest.mark.parametrize("framing", ["Content-Length: 9", CHUNKED])
def test_a_body_that_ends_too_early_is_not_acted_on(serve, held, framing):
    """RFC 9112 §8."""
    wire = serve(held).send(request("POST", "/", framing), b"1\r\na")

    wire.socket.shutdown(socket.SHUT_WR)
    status, headers, body = wire.answer()

    assert (status, headers["Connection"]) == (400, "close")
    assert (json.loads(body)["code"], held.calls) == ("body_cut_short", 0)


@pytest.mark.parametrize("sent", [b"", GET[:9], GET[:-1]])
def test_who_leaves_before_the_end_of_a_head_hears_nothing(serve, sent):
    wire = serve(echo).send(sent)

    wire.socket.shutdown(socket.SHUT_WR)

    assert wire.all() == b""
