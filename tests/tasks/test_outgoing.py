"""A request to others ends in time, whatever they do, and TLS is with whom it names."""

import socket
import ssl
import threading
import time
from contextlib import contextmanager

import pytest

from tasks._outgoing import FAILURES, Request, connection, exchange
from tests.authority import Authority
from tests.receiver import receiving

GET = Request("GET", "/", {})
SECONDS = 0.5


def ask(port, *, seconds=SECONDS, bytes_max=1_000, request=GET):
    made = connection("http", "127.0.0.1", port)
    return exchange(made, request, seconds=seconds, bytes_max=bytes_max)


@contextmanager
def talking(*pieces, every=0.05):
    """A server that sends its pieces one after another, the last again and again."""
    over = threading.Event()

    def talk(server):
        client, _ = server.accept()
        with client:
            said = iter(pieces)
            piece = next(said)
            while not over.wait(every):
                try:
                    client.sendall(piece)
                except OSError:
                    return
                piece = next(said, piece)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=talk, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    "pieces",
    [
        [b""],
        [b"H"],
        [b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"],
        [b"HTTP/1.1 200 OK\r\nA: ", b"b"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"."],
        [b"HTTP/1.1 200 OK\r\n\r\n", b"."],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n.\r\n"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"],
        [b"HTTP/1.1 100 Continue\r\n\r\n"],
    ],
    ids=[
        *("nothing", "status", "fields", "field", "body", "rest", "chunks", "size"),
        "continue",
    ],
)
def test_who_never_ends_is_cut_off(pieces):
    """Each byte comes long before a socket's own timeout; all of them take for ever."""
    began = time.monotonic()
    with talking(*pieces) as port, pytest.raises(TimeoutError, match="no answer"):
        ask(port)

    assert SECONDS <= time.monotonic() - began < SECONDS + 2


def test_who_is_not_there_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(FAILURES):
        ask(port)


def test_who_accepts_and_says_nothing_does_not_wait_for_a_cut_that_came_too_early():
    """TLS that is never begun: at that time there is nothing yet to be cut."""
    began = time.monotonic()
    with talking(b"") as port:
        made = connection("https", "localhost", port, address="127.0.0.1")
        with pytest.raises(TimeoutError):
            exchange(made, GET, seconds=SECONDS, bytes_max=1)

    assert time.monotonic() - began < 4 * SECONDS


def test_a_long_answer_is_cut_to_a_byte_more_than_wanted():
    with receiving() as receiver:
        receiver.answer = (200, {}, b"x" * 10_000_000)
        answer = ask(receiver.port, bytes_max=1_000, seconds=5)

    assert (answer.status, len(answer.body)) == (200, 1_001)


def test_a_redirect_is_an_answer_like_any_other():
    with receiving() as receiver:
        location = f"http://127.0.0.1:{receiver.port}/elsewhere"
        receiver.answer = (302, {"Location": location}, b"")
        answer = ask(receiver.port, request=Request("POST", "/hook", {}, b"{}"))

    assert answer.status == 302
    assert [received.path for received in receiver.received] == ["/hook"]


def test_no_proxy_of_the_environment_is_asked(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    with receiving() as receiver:
        assert ask(receiver.port, request=Request("POST", "/", {}, b"")).status == 204


# TLS


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def ask_by_tls(port, host, trust):
    made = connection("https", host, port, address="127.0.0.1", trust=trust)
    return exchange(made, GET._replace(body=b""), seconds=5, bytes_max=10)


def test_tls_is_with_the_host_named_whatever_its_address(authority):
    asked = []
    with receiving(authority.server("hooks.example", asked)) as receiver:
        answer = ask_by_tls(receiver.port, "hooks.example", authority.trust)

    assert (answer.status, asked) == (204, ["hooks.example"])


def test_a_certificate_of_another_host_is_refused(authority):
    with (
        receiving(authority.server("other.example", [])) as receiver,
        pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
    ):
        ask_by_tls(receiver.port, "hooks.example", authority.trust)

    assert receiver.received == []


def test_an_authority_nobody_knows_is_refused(authority):
    with (
        receiving(authority.server("hooks.example", [])) as receiver,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ask_by_tls(receiver.port, "hooks.example", None)

    assert receiver.received == []
