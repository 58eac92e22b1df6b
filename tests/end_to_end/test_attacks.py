"""Attacks on what lies between bytes and requests: a real server, a real connection.

What the parser makes of each by itself is in tests/api/test_arrival.py; here nothing
that was hidden in another request may come to be done.
"""

import json

import pytest

from tests.end_to_end.wire import request
from tests.factories import make_owner

JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


def hidden(key, owner):
    """Return a write as it would be smuggled."""
    nonce = make_owner("nonce")
    body = {"owner_id": owner, "operation": "CREDIT_ADD", "nonce": nonce}
    return request("POST", "/ledger", key, JSON, body=json.dumps(body).encode())


def lengths(inner, *fields):
    """Return a request of which some read another end than others."""
    return request("POST", "/auth/refresh", JSON, *fields) + inner


SMUGGLED = {
    "CL.TE": lambda inner: lengths(
        b"0\r\n\r\n" + inner, f"Content-Length: {5 + len(inner)}", CHUNKED
    ),
    "TE.CL": lambda inner: lengths(
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner), CHUNKED, "Content-Length: 4"
    ),
    "two lengths": lambda inner: lengths(
        inner, f"Content-Length: {len(inner)}", "Content-Length: 0"
    ),
    "a list of lengths": lambda inner: lengths(
        inner, f"Content-Length: 0, {len(inner)}"
    ),
    "a length with a sign": lambda inner: lengths(inner, "Content-Length: +0"),
    "a length in hex": lambda inner: lengths(inner, "Content-Length: 0x0"),
    "a space before the colon": lambda inner: lengths(inner, "Content-Length : 0"),
    "TE before the colon": lambda inner: lengths(
        b"0\r\n\r\n" + inner, "Transfer-Encoding : chunked"
    ),
    "a folded TE": lambda inner: lengths(
        b"0\r\n\r\n" + inner, "Transfer-Encoding:\r\n chunked"
    ),
    "a TE nobody knows": lambda inner: lengths(
        b"0\r\n\r\n" + inner, "Transfer-Encoding: xchunked"
    ),
    "a TE twice": lambda inner: lengths(b"0\r\n\r\n" + inner, CHUNKED, CHUNKED),
    "TE with a tab": lambda inner: lengths(
        b"0\r\n\r\n" + inner, "Transfer-Encoding: \x0bchunked"
    ),
    "a packed bomb": lambda inner: lengths(
        b"0\r\n\r\n" + inner, "Transfer-Encoding: gzip, chunked"
    ),
    "TE in HTTP/1.0": lambda inner: lengths(b"0\r\n\r\n" + inner, CHUNKED).replace(
        b"HTTP/1.1", b"HTTP/1.0", 1
    ),
    "a chunk of a size with a sign": lambda inner: lengths(
        b"+0\r\n\r\n" + inner, CHUNKED
    ),
    "a chunk of a size in 0x": lambda inner: lengths(b"0x0\r\n\r\n" + inner, CHUNKED),
    "a chunk longer than it says": lambda inner: lengths(
        b"1\r\nab\r\n0\r\n\r\n" + inner, CHUNKED
    ),
    "a chunk that ends with LF": lambda inner: lengths(b"0\n\n" + inner, CHUNKED),
    "a head that ends with LF": lambda inner: (
        b"GET /health HTTP/1.1\nHost: x\n\n" + inner
    ),
    "a bare LF in a field": lambda inner: lengths(inner, "X-A: b\nContent-Length: 0"),
    "a bare CR in a field": lambda inner: lengths(inner, "X-A: b\rContent-Length: 0"),
    "NUL in a field": lambda inner: lengths(inner, "X-A: b\0", "Content-Length: 0"),
    "two hosts": lambda inner: request("GET", "/health", "Host: y") + inner,
    "a request in a target": lambda inner: b"GET /health " + inner,
}


@pytest.mark.parametrize("wrap", SMUGGLED.values(), ids=SMUGGLED)
def test_a_request_within_a_request_is_not_done(stack, client, key, wrap):
    """RFC 9112 §6.3, §11.2; CWE-444: one answer, a refusal, and the end."""
    owner = make_owner()
    with stack.wire() as wire:
        status, headers, _ = wire.send(wrap(hidden(key, owner))).answer()
        ended = wire.closed()

    assert status in {400, 501}
    assert (headers["Connection"], ended) == ("close", True)
    assert client.balance(owner) == 0


def test_what_would_be_smuggled_is_a_write_when_it_stands_alone(stack, client, key):
    """What makes the refusals above mean something."""
    owner = make_owner()
    with stack.wire() as wire:
        status, _, said = wire.send(hidden(key, owner)).answer()
    client.get(f"/jobs/{json.loads(said)['id']}?wait=20")

    assert (status, client.balance(owner)) == (202, 10)


CLOSED = "/auth/api-keys"
DETOURS = [
    "//auth/api-keys",
    "/problems/..%2fauth%2fapi-keys",
    "/problems/..%252fauth%252fapi-keys",
    "/problems/%2e%2e/auth/api-keys",
    "/problems/../auth/api-keys",
    "/problems%2f..%2fauth%2fapi-keys",
    "/problems/..%c0%afauth%c0%afapi-keys",
    "/problems/%c0%ae%c0%ae/auth/api-keys",
    "/problems/..%5cauth%5capi-keys",
    "/%61uth%2fapi-keys",
    "/auth%2fapi-keys",
    "/auth/api-keys%00",
    "/auth/api-keys%00.css",
    "/auth/api-keys;.css",
    "/auth/api-keys%3f",
    "/auth/api-keys%23",
    "/auth/./api-keys",
    "/AUTH/API-KEYS",
    "/health/../auth/api-keys",
    "http://x/auth/api-keys",
    "http://x/health/..%2fauth/api-keys",
]


@pytest.mark.parametrize("path", DETOURS)
def test_a_detour_to_what_is_closed_leads_nowhere(wire, path):
    """CWE-22, CWE-436: not by "/", "." or NUL in another form."""
    status, _, said = wire.send(request("GET", path)).answer()

    assert status in {400, 401, 404}
    assert "keys" not in json.loads(said)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *(("X-Forwarded-For", ""), ("Forwarded", "for="), ("X-Real-IP", "")),
        *(("True-Client-IP", ""), ("Client-IP", "")),
    ],
)
def test_a_forged_proxy_header_is_no_other_address(stack, name, said):
    """Whoever is slowed down stays so, whatever they say where they come from."""
    with stack.wire() as wire:
        left = []
        for number in (1, 2):
            forged = f"{name}: {said}192.0.2.{number}"
            _, headers, _ = wire.send(request("GET", "/nowhere", forged)).answer()
            left.append(headers["RateLimit"])

    assert remaining(left[1]) < remaining(left[0])


def remaining(field):
    return int(field.partition("r=")[2].partition(";")[0])
