"""Requests as a hostile tester would write them, for hypothesis to choose from.

`surface` walks every route with every method, `reads` looks with parameters that are
nearly good, `writes` sends bodies that were good before something was done to them.
"""

import copy
import json
from urllib.parse import quote
from uuid import UUID

from hypothesis import strategies as st

from tests.api.test_methods import ROUTES, STANDARD

NOBODY = UUID(int=0)
METHODS = sorted(STANDARD | {"OPTIONS", "BREW", "get", "PROPFIND"})
HARD_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\n",
    "\r\nSet-Cookie: a=b",
    "\x7f",
    "\x85",
    "é",
    "\u202e",
    "\ud800",
    "😀",
    "ﬀ",
    "İ",
    "\ufeff",
    "../../etc/passwd",
    "%00",
    "%s%n",
    "{0}",
    "${jndi:x}",
    "' OR 1=1 --",
    '"; DROP TABLE jobs',
    "=1+1",
    "@treasury",
    "@issuance",
    "batches",
    "operations",
    "alice",
    "CREDIT_ADD",
    "CREDIT_SPEND",
    "SIGNUP_CREDIT",
    "CONTENT_CREATION",
    "TRANSFER",
    "__class__",
    "null",
    "0",
    "-1",
    "1e400",
    "true",
    "x" * 128,
    "x" * 129,
    "x" * 256,
    "x" * 5_000,
    str(NOBODY),
]
HARD_NUMBERS = [
    0,
    1,
    -1,
    10,
    11,
    2**31,
    2**53,
    2**53 + 1,
    -(2**53),
    2**63,
    2**64,
    10**30,
    0.1,
    1.0,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
]
TIMES = [
    "2026-11-20T21:50:00Z",
    "2026-11-20T21:50:60Z",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "2026-11-20T21:50:00 01:00",
    "2026-W47-5T10:00:00Z",
    "20261120T215000Z",
    "2026-11-20T24:00:00Z",
    "2026-11-20T10:00:00.123456789Z",
    "2026-11-20T10:00:00+23:59:59.999999",
    "infinity",
]

texts = st.sampled_from(HARD_TEXTS) | st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.sampled_from(HARD_NUMBERS) | st.integers() | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=6,
)

_operation = {"owner_id": "alice", "operation": "CREDIT_ADD", "nonce": "n"}
_transfer = {"from": "alice", "to": "bob", "amount": 1, "nonce": "n"}
GOOD = {
    "/ledger": {**_operation, "metadata": {"a": [1]}, "amount": 10},
    "/ledger/transfers": {**_transfer, "metadata": {}},
    "/ledger/batches": {"entries": [_operation, _transfer], "atomic": True},
    f"/ledger/transfers/{NOBODY}/reversal": {"nonce": "n", "reason": "r"},
    "/content": {"owner_id": "alice", "nonce": "n", "title": "t"},
    f"/content/{NOBODY}/access": {"owner_id": "alice", "nonce": "n"},
}


def _places(node, path=()):
    """Yield the path of everything in a document."""
    yield path
    if isinstance(node, dict):
        for name, below in node.items():
            yield from _places(below, (*path, name))
    elif isinstance(node, list):
        for index, below in enumerate(node):
            yield from _places(below, (*path, index))


def _at(document, path):
    for step in path:
        document = document[step]
    return document


@st.composite
def _spoilt(draw, document):
    """A good document to which something was done, perhaps several times."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(sorted(_places(document), key=repr)))
        node = _at(document, path)
        deed = draw(st.sampled_from(["replace", "remove", "add", "repeat", "wrap"]))
        if not path:
            if deed == "add" and isinstance(document, dict):
                document[draw(texts)] = draw(values)
            elif deed == "replace":
                document = draw(values)
            continue
        parent, last = _at(document, path[:-1]), path[-1]
        if deed == "replace":
            parent[last] = draw(values)
        elif deed == "remove":
            del parent[last]
        elif deed == "wrap":
            parent[last] = [node]
        elif deed == "repeat" and isinstance(parent, list):
            parent.append(node)
        elif deed == "add" and isinstance(node, dict):
            node[draw(texts)] = draw(values)
    return document


@st.composite
def _spoilt_bytes(draw, body):
    """Bytes of which a few were changed, or none."""
    raw = bytearray(body)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        if raw:
            place = draw(st.integers(0, len(raw) - 1))
            raw[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(raw)


@st.composite
def _bodies(draw, document):
    spoilt = draw(_spoilt(document))
    fresh = draw(st.sampled_from([True, True, True, False]))
    if fresh and isinstance(spoilt, dict) and "nonce" in spoilt:
        spoilt["nonce"] = draw(st.uuids(version=4)).hex
    ascii_only = draw(st.booleans())
    text = json.dumps(spoilt, ensure_ascii=ascii_only)
    return draw(_spoilt_bytes(text.encode("utf-8", "surrogatepass")))


MEDIA = [
    "application/json",
    "application/json; charset=utf-8",
    "application/x-ndjson",
    "text/plain",
    "",
    "application/json\0",
    ";;",
]
HEADERS = {
    "Accept": ["text/csv", "*/*", "text/csv;q=x", ",;=", "application/json", "a/b/c"],
    "Idempotency-Key": ['"k"', "k", '"', '""', '"a\\"b"', "é", "x" * 300, '"k', "\x7f"],
    "If-Match": ["*", '"x"'],
    "If-Modified-Since": ["yesterday", "Fri, 20 Nov 2026 21:50:00 GMT"],
    "If-None-Match": ["*", '"x"', "W/", '"', "é", 'W/"x", "y"'],
    "Last-Event-ID": ["0-queued", "1-cancelled", "0-cancelled", "é", ""],
    "Prefer": ["wait=0", "wait=x", "respond-async", ",;=", 'wait="', "a=b; c=d, e"],
    "Range": ["bytes=0-", "bytes=x", "items=0-5"],
    "traceparent": ["00-" + "0" * 32 + "-" + "1" * 16 + "-01", "x", "é"],
    "X-Request-ID": ["mine", "é", "a b", "x" * 200, "<x>", "a\x0bb"],
    "X-API-Key": ["", "nonsense", "pc_", "é"],
    "Forwarded": ["for=x;by=y", ";;;"],
    "X-HTTP-Method-Override": ["DELETE"],
}
headers = st.dictionaries(
    st.sampled_from(sorted(HEADERS)), st.integers(0, 20), max_size=4
).map(lambda chosen: {k: HEADERS[k][n % len(HEADERS[k])] for k, n in chosen.items()})


@st.composite
def writes(draw, path):
    """A write, good or spoilt, as (method, path, headers, environ)."""
    body = draw(_bodies(GOOD[path]))
    media = draw(st.sampled_from([*[MEDIA[0]] * 20, *MEDIA]))
    if media == MEDIA[2]:
        count = draw(st.integers(1, 3))
        body = b"\n".join(draw(_bodies(GOOD["/ledger"])) for _ in range(count))
    length = draw(st.sampled_from([*[...] * 12, None, "0", "-1", "x", "99"]))
    environ = {
        "CONTENT_TYPE": media,
        "CONTENT_LENGTH": str(len(body)) if length is ... else length,
        "body": body,
    }
    return "POST", path, draw(headers), environ


PARAMETERS = {
    "limit": ["1", "200", "0", "x", "", "9" * 30],
    "cursor": ["WzUsMF0=", "x", "", "W10=", "bnVsbA==", "WyJ4IiwxXQ=="],
    "state": ["queued", "cancelled", "lost", ""],
    "kind": ["ledger.post_operation", "\0", "x" * 3_000],
    "wait": ["0", "-1", "x", "31"],
    "at": TIMES,
    "since": TIMES,
    "until": TIMES,
    "operation": ["CREDIT_ADD", "NONE", "\0", "é"],
    "atomic": ["true", "x"],
    "": [""],
}


@st.composite
def _queries(draw, names):
    chosen = draw(st.lists(st.sampled_from(sorted(names)), max_size=3))
    parts = [f"{name}={draw(_query_values(name))}" for name in chosen]
    noise = draw(st.sampled_from([""] * 9 + ["&&", "=", "%", "%zz", "%ff", "a=b", "a"]))
    return "&".join([*parts, noise] if noise else parts)


def _query_values(name):
    known = st.sampled_from(PARAMETERS[name])
    return (known | texts).map(lambda text: quote(text, errors="surrogatepass"))


READS = {
    "/jobs": ["state", "kind", "limit", "cursor"],
    "/jobs/{}": ["wait"],
    "/ledger/alice": ["at"],
    "/ledger/alice/entries": ["operation", "since", "until", "limit", "cursor"],
}


@st.composite
def reads(draw, job_id):
    """A look at something, with parameters it knows, as (method, path, …)."""
    path = draw(st.sampled_from(sorted(READS)))
    environ = {
        "QUERY_STRING": draw(_queries(READS[path])),
        "PATH_INFO": path.format(job_id),
        "body": b"",
    }
    return draw(st.sampled_from(["GET", "GET", "HEAD"])), "/", draw(headers), environ


@st.composite
def surface(draw, ids=()):
    """Any method on any route, or beside it, as (method, path, headers, environ).

    The path is what WSGI calls one: bytes, written as Latin-1.
    """
    template = draw(st.sampled_from(sorted(ROUTES)))
    known = st.sampled_from([str(NOBODY), *ids])
    parts = []
    for part in template.split("/")[1:]:
        if part.endswith(":uuid}"):
            parts.append(draw(known | known | texts))
        elif part.startswith("{"):
            parts.append(draw(st.just("alice") | texts))
        else:
            parts.append(part)
    path = "/" + "/".join(parts)
    path += draw(
        st.sampled_from([""] * 12 + ["/", "//", "x", "/..", "\0", "?", ";a=b"])
    )
    path = draw(st.sampled_from([*[path] * 9, "/" + path, ...]))
    if path is ...:
        path = "/" + draw(st.binary(max_size=30)).decode("latin-1")
    raw = path.encode("utf-8", "surrogatepass") if not path.isascii() else path.encode()
    method = draw(st.sampled_from([*METHODS, *["GET"] * 8, *["POST"] * 4]))
    body = draw(st.sampled_from([b"", b"{}", b"[]", b"{"]))
    environ = {
        "QUERY_STRING": draw(_queries(PARAMETERS)),
        "PATH_INFO": raw.decode("latin-1"),
        "CONTENT_TYPE": draw(st.sampled_from(MEDIA)),
        "CONTENT_LENGTH": str(len(body)),
        "body": body,
    }
    return method, "/", draw(headers), environ
