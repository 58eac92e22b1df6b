"""HTTP itself: what real sockets bring that a test client never would."""

import json
import select
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.end_to_end.wire import request
from tests.factories import make_owner

BODY_SECONDS = 15
JSON = "Content-Type: application/json"
PROBLEM = "application/problem+json"
MIB = 2**20


def body(**fields):
    made = {"owner_id": make_owner(), "operation": "CREDIT_ADD", **fields}
    return json.dumps({"nonce": make_owner("nonce"), **made}).encode()


@pytest.fixture(scope="module")
def slow(stack):
    """Someone who sends a byte of a body now and then, since the module began.

    Yields the connection, and the future of how long it was listened to.
    """
    given_up = threading.Event()
    key = f"X-API-Key: {stack.endpoints['key']}"

    def feed(wire):
        began = time.monotonic()
        while not given_up.wait(0.2):
            if select.select([wire.socket], [], [], 0)[0]:
                return time.monotonic() - began
            wire.send(b" ")
        return None

    with ThreadPoolExecutor(1) as pool, stack.wire() as wire:
        wire.send(request("POST", "/ledger", key, JSON, "Content-Length: 9999"))
        yield wire, pool.submit(feed, wire)
        given_up.set()


@pytest.fixture(autouse=True)
def meanwhile(slow):
    """Let the slow sender begin before everything else here."""


BAD_HTTP = {
    "nonsense": b"hello\r\n\r\n",
    "no version": b"GET /health\r\n\r\n",
    "another version": b"GET /health HTTP/9.9\r\n\r\n",
    "a lower-case protocol": b"GET /health http/1.1\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n",
    "NUL in a header": b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n",
    "a bare CR": b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: a\rX-B: b\r\n\r\n",
    "a space before a colon": b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
    "a header without colon": b"GET /health HTTP/1.1\r\nHost\r\n\r\n",
    "two lengths": b"POST /ledger HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    b"Content-Length: 2\r\n\r\nab",
    "length and chunks": b"POST /ledger HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": request("POST", "/ledger", "Content-Length: -1"),
    "a length in words": request("POST", "/ledger", "Content-Length: ten"),
    "an unknown encoding": b"POST /ledger HTTP/1.1\r\nHost: x\r\n"
    b"Transfer-Encoding: gzip, x\r\n\r\n",
    "a line of 100 kB": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header of 100 kB": b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: "
    + b"a" * 100_000
    + b"\r\n\r\n",
    "a thousand headers": b"GET /health HTTP/1.1\r\nHost: x\r\n"
    + b"".join(b"X-%d: a\r\n" % n for n in range(1_000))
    + b"\r\n",
}


@pytest.mark.parametrize("sent", BAD_HTTP.values(), ids=BAD_HTTP)
def test_what_is_not_http_is_refused_with_a_problem(wire, sent):
    """RFC 9112 §2.2, §6.3; RFC 9457 §3."""
    wire.send(sent)

    status, headers, said = wire.answer()

    problem = json.loads(said)
    assert 400 <= status < 500 or status in {501, 505}
    assert (headers["Content-Type"], problem["status"]) == (PROBLEM, status)
    assert headers["X-Request-ID"] == problem["instance"]


def test_after_bad_http_the_next_client_is_served(stack, wire):
    wire.send(b"nonsense\r\n\r\n").answer()

    with stack.wire() as other:
        assert other.send(request("GET", "/health")).answer()[0] == 200


PATHS = [
    "/ledger/%00",
    "/ledger/%0d%0aSet-Cookie:%20a=b",
    "/ledger/a%2Fb",
    "/ledger/%C0%AF",
    "/ledger/%ED%A0%80",
    "/ledger/%FF",
    "/ledger/%",
    "/ledger/%zz",
    "/ledger/..%2f..%2fetc%2fpasswd",
    "/ledger/../health",
    "/%2e%2e/%2e%2e/",
    "//ledger",
    "//health",
    "/ledger//",
    "/ledger/alice/;a=b",
    "/ledger/alice#fragment",
    "/\u00ff\u00fe",
    "http://elsewhere.example/nowhere",
    "*",
    "/jobs?limit=%00",
    "/jobs?" + "a" * 3_000,
    "/jobs?%FF=%FE",
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ascii(path)[:30])
def test_a_path_however_written_is_answered(wire, key, path):
    """RFC 3986 §2, RFC 9112 §3.2."""
    wire.send(request("GET", path, key))

    status, headers, said = wire.answer()

    assert status in {200, 400, 404, 405, 422}
    if status >= 400:
        assert headers["Content-Type"] == PROBLEM
        assert json.loads(said)["status"] == status
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    "name",
    ["Idempotency-Key", "Origin", "Prefer", "X-Request-ID", "traceparent"],
)
@pytest.mark.parametrize(
    "value",
    ["a\r\n Set-Cookie: a=b", "a\nSet-Cookie: a=b", "\x01", "\x7f", "é", "a" * 7_000],
    ids=ascii,
)
def test_a_header_puts_nothing_into_an_answer(wire, key, name, value):
    """RFC 9110 §5.5; CWE-113."""
    wire.send(request("POST", "/ledger", key, JSON, f"{name}: {value}", body=b"{}"))

    status, headers, _ = wire.answer()

    assert status in {400, 422, 431}
    assert "Set-Cookie" not in headers
    assert len(headers.get("X-Request-ID", "")) < 200


def test_a_connection_outlives_refusals(wire, key):
    """RFC 9112 §9.3: persistent by default, and in step with what was sent."""
    requests = [
        (request("GET", "/nowhere", key), 404),
        (request("POST", "/ledger", key, JSON, body=b"{"), 400),
        (request("POST", "/ledger", JSON, body=b"{}" * 50_000), 401),
        (request("POST", "/ledger", key, "Content-Type: a/b", body=b"x" * 99), 415),
        (request("DELETE", "/ledger", key, body=b"x" * 99), 405),
        (request("POST", "/ledger", key, JSON, body=body()), 202),
        (request("GET", "/health"), 200),
    ]

    statuses = [wire.send(sent).answer()[0] for sent, _ in requests]

    assert statuses == [expected for _, expected in requests]


def test_requests_may_follow_before_the_answers(wire, key):
    """RFC 9112 §9.3.2: pipelining, answered in order."""
    sent = [request("GET", path, key) for path in ("/health", "/nowhere", "/health")]

    wire.send(*sent)

    assert [wire.answer()[0] for _ in sent] == [200, 404, 200]


def test_head_and_304_have_no_body_on_the_wire(wire, key):
    """RFC 9112 §6.3: a body here would be taken for the next answer."""
    wire.send(request("GET", "/ledger/operations", key))
    tag = wire.answer()[1]["ETag"]
    wire.send(request("HEAD", "/ledger/operations", key))
    head = wire.answer("HEAD")
    wire.send(request("GET", "/ledger/operations", key, f"If-None-Match: {tag}"))
    not_modified = wire.answer()

    wire.send(request("GET", "/health"))

    assert (head[0], not_modified[0], wire.answer()[0]) == (200, 304, 200)


def test_a_method_the_resource_has_not_is_405(wire, key):
    """RFC 9110 §15.5.6."""
    wire.send(request("PATCH", "/ledger", key))

    status, headers, _ = wire.answer()

    assert (status, headers["Allow"]) == (405, "OPTIONS, POST")


def test_a_method_nobody_has_is_501(wire, key):
    """RFC 9110 §9.1."""
    wire.send(request("BREW", "/ledger", key))

    status, _, said = wire.answer()

    assert (status, json.loads(said)["code"]) == (501, "not_implemented")


def chunks(data, size):
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def test_a_body_in_chunks_is_read(wire, key):
    """RFC 9112 §7.1."""
    wire.send(request("POST", "/ledger", key, JSON, "Transfer-Encoding: chunked"))

    wire.send(*chunks(body(), 7))

    assert wire.answer()[0] == 202


def test_a_body_in_chunks_beyond_five_mebibytes_is_413(wire, key):
    wire.send(request("POST", "/ledger", key, JSON, "Transfer-Encoding: chunked"))

    wire.send(*chunks(b" " * (5 * MIB + 1), MIB))

    assert wire.answer()[0] == 413


def test_a_body_of_ten_megabytes_is_refused_before_it_is_sent(wire, key):
    """RFC 9110 §15.5.14."""
    wire.send(request("POST", "/ledger", key, JSON, "Content-Length: 10000000"))

    status, headers, said = wire.answer()

    assert (status, headers["Content-Type"]) == (413, PROBLEM)
    assert json.loads(said)["code"] == "body_too_large"


def test_a_body_of_ten_megabytes_is_refused_though_it_is_sent(wire, key):
    wire.send(request("POST", "/ledger", key, JSON, body=b" " * 10_000_000))

    assert wire.answer()[0] == 413


def test_a_body_that_is_cut_short_is_400_or_nothing(stack, wire, key):
    """RFC 9112 §8."""
    wire.send(request("POST", "/ledger", key, JSON, "Content-Length: 100"), b"{")
    wire.socket.shutdown(1)

    status, _, said = wire.answer()

    assert (status, json.loads(said)["code"]) == (400, "body_cut_short")


def test_a_client_that_expects_to_be_told_to_go_on_is(wire, key):
    """RFC 9110 §10.1.1."""
    sent = body()
    wire.send(
        request(
            "POST",
            "/ledger",
            key,
            JSON,
            "Expect: 100-continue",
            f"Content-Length: {len(sent)}",
        )
    )
    told = wire.socket.recv(100)

    wire.send(sent)

    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert wire.answer()[0] == 202


def test_an_old_client_is_answered_and_hung_up_on(wire):
    """RFC 9112 §9.3: HTTP/1.0 does not persist."""
    wire.send(b"GET /health HTTP/1.0\r\n\r\n")

    assert wire.answer()[0] == 200
    assert wire.closed()


def test_a_thousand_idle_connections_keep_nobody_out(stack):
    idle = [stack.wire() for _ in range(900)]
    try:
        with stack.wire() as wire:
            assert wire.send(request("GET", "/health")).answer()[0] == 200
    finally:
        for one in idle:
            one.__exit__()


def test_a_body_that_comes_too_slowly_is_408(slow):
    """RFC 9110 §15.5.9."""
    wire, listening = slow

    seconds = listening.result(3 * BODY_SECONDS)

    status, headers, said = wire.answer("POST")
    assert (status, headers["Content-Type"]) == (408, PROBLEM)
    assert json.loads(said)["code"] == "request_timeout"
    assert BODY_SECONDS - 1 < seconds < BODY_SECONDS + 5
