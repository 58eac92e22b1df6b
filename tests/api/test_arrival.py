"""Requests as they arrive: the same however they are cut up, bounded, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.arrival import (
    BODY_BYTES_MAX,
    HEAD_BYTES_MAX,
    HEADERS_MAX,
    NAME_BYTES_MAX,
    SILENT_BYTES_MAX,
    Arrivals,
)
from tests.end_to_end.wire import request

PIECE = 65_536
NEXT = request("GET", "/next")
CHUNKED = "Transfer-Encoding: chunked"
UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")


def arrive(sent, *sizes):
    """Return what arrives of bytes in pieces of these sizes, again and again."""
    arrivals, at = Arrivals({}), 0
    while at < len(sent) and not arrivals.refused:
        size = sizes[0] if sizes else PIECE
        arrivals.feed(sent[at : at + size])
        at, sizes = at + size, (*sizes[1:], size)
    return arrivals


def one(sent, *sizes):
    """Return the environ of the one request, that is followed by another."""
    arrivals = arrive(sent + NEXT, *sizes)
    assert arrivals.refused is None
    first, after = arrivals.ready
    assert after.environ["PATH_INFO"] == "/next"
    return first.call()


def body_of(found):
    return found["wsgi.input"].read()


def chunked(*chunks, extension=b"", trailer=b""):
    sent = [b"%x%b\r\n%b\r\n" % (len(one), extension, one) for one in chunks]
    return b"".join([*sent, b"0\r\n", trailer, b"\r\n"])


visible = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
values = st.text(
    st.one_of(visible, st.characters(min_codepoint=0xA0, max_codepoint=0xFF))
)
paths = st.text(st.sampled_from("abz09-._~!$&'()*+,;=:@/%"), max_size=30)
# Names of our own mean nothing to llhttp.
fields = st.dictionaries(
    st.from_regex(r"x-[a-z0-9]{1,10}", fullmatch=True), values, max_size=5
)
bodies = st.one_of(st.none(), st.lists(st.binary(min_size=1, max_size=50), max_size=4))


@st.composite
def requests(draw):
    """Yield a request's bytes, and what is to be seen of it."""
    method = draw(st.sampled_from(["GET", "POST", "DELETE", "PATCH"]))
    path, query, named = "/" + draw(paths), draw(paths), draw(fields)
    pieces, by_length = draw(bodies), draw(st.booleans())
    head = [f"{name}: {value}" for name, value in named.items()]
    head += UPGRADE if draw(st.booleans()) else ()
    body = b"".join(pieces or ())
    if pieces is None:
        sent = b""
    elif by_length:
        head.append(f"Content-Length: {len(body)}")
        sent = body
    else:
        head.append(CHUNKED)
        trailer = draw(
            st.sampled_from([b"", b"X-API-Key: stolen\r\n", b"a: b\r\nc: d\r\n"])
        )
        sent = chunked(
            *pieces, extension=draw(st.sampled_from([b"", b";a=b"])), trailer=trailer
        )
    expected = (
        method,
        query,
        {_variable(name): value for name, value in named.items()},
        body,
    )
    return request(method, f"{path}?{query}", *head) + sent, expected


def _variable(name):
    return "HTTP_" + name.upper().replace("-", "_")


def shown(arrived):
    """Return of a request what requests() says is to be seen."""
    environ = arrived.call()
    named = {
        name: value for name, value in environ.items() if name.startswith("HTTP_X_")
    }
    return environ["REQUEST_METHOD"], environ["QUERY_STRING"], named, body_of(environ)


sizes = st.lists(st.integers(1, 60), min_size=1, max_size=10)


@given(st.lists(requests(), min_size=1, max_size=4), sizes)
def test_however_a_stream_is_cut_up_it_is_the_same_requests(sent, sizes):
    """RFC 9112 §2.1, §6, §7.1; RFC 9110 §7.8: an upgrade may be ignored."""
    stream = b"".join(bytes_ for bytes_, _ in sent)

    arrivals = arrive(stream, *sizes)

    assert (arrivals.refused, arrivals.current) == (None, None)
    assert [shown(one) for one in arrivals.ready] == [expected for _, expected in sent]


@given(requests(), st.data())
def test_what_is_not_all_there_is_not_a_request(sent, data):
    stream = sent[0]
    end = data.draw(st.integers(1, len(stream) - 1))

    arrivals = arrive(stream[:end])

    assert not arrivals.ready
    assert arrivals.current
    assert arrivals.refused is None


@given(st.binary(max_size=200), sizes)
def test_anything_is_a_request_or_is_refused(sent, sizes):
    arrive(sent, *sizes)
    arrive(b"GET / HTTP/1.1\r\nHost: x\r\n" + sent + b"\r\n\r\n", *sizes)
    arrive(request("POST", "/", CHUNKED) + sent, *sizes)


REFUSED = {
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    "a Host that is none": (b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "another Host in the target": (request("GET", "http://a@b@c/"), 400),
    "a bracket": (request("GET", "http://[x /"), 400),
    "a fragment": (request("GET", "/a#b"), 400),
    "a space in the target": (request("GET", "/a b"), 400),
    "bytes in the target": (request("GET", "/a\x00"), 400),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "a folded field": (request("GET", "/", "A: b\r\n c"), 400),
    "a space before the colon": (
        request("POST", "/", "Content-Length : 1") + b"a",
        400,
    ),
    "no name": (request("GET", "/", ": a"), 400),
    "length twice": (request("POST", "/", *["Content-Length: 1"] * 2) + b"a", 400),
    "lengths in a list": (request("POST", "/", "Content-Length: 1, 1") + b"a", 400),
    "a length with a sign": (request("POST", "/", "Content-Length: +1") + b"a", 400),
    "an endless length": (request("POST", "/", "Content-Length: " + "9" * 30), 400),
    "length and chunks": (request("POST", "/", "Content-Length: 1", CHUNKED), 400),
    "chunks and length": (request("POST", "/", CHUNKED, "Content-Length: 1"), 400),
    "chunks twice": (request("POST", "/", CHUNKED, CHUNKED), 400),
    "no encoding": (request("POST", "/", "Transfer-Encoding:"), 400),
    "an unknown encoding": (request("POST", "/", "Transfer-Encoding: gzip"), 501),
    "chunks in HTTP/1.0": (
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    "a chunk of no size": (request("POST", "/", CHUNKED) + b"x\r\n", 400),
    "a chunk of hex": (request("POST", "/", CHUNKED) + b"0x1\r\n", 400),
    "a chunk too long": (request("POST", "/", CHUNKED) + b"1\r\nab\r\n", 400),
    "an endless chunk": (request("POST", "/", CHUNKED) + b"f" * 20 + b"\r\n", 400),
    "a chunk's bare line feed": (request("POST", "/", CHUNKED) + b"1\na", 400),
    "a length in a trailer": (
        request("POST", "/", CHUNKED) + b"0\r\nContent-Length: 1\r\n\r\n",
        400,
    ),
    "no such method": (request("BREW", "/"), 501),
    "no such version": (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 501),
}
CODES = {
    400: "malformed_request",
    501: "not_implemented",
    505: "unsupported_http_version",
}
whole_or_in_drips = pytest.mark.parametrize("size", [PIECE, 1], ids=["whole", "drips"])


@whole_or_in_drips
@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_http_is_refused_after_what_came_before(sent, status, size):
    """RFC 9112 §2.2, §3.2, §5.1, §5.2, §6.1, §6.3, §7.1, §11.2."""
    arrivals = arrive(NEXT + sent, size)

    refused = arrivals.refused
    assert (refused.status, refused.code) == (status, CODES[status])
    assert [one.environ["PATH_INFO"] for one in arrivals.ready] == ["/next"]


TARGETS = {
    "/a%2Fb%00%zz": ("/a/b\0%zz", "", "x"),
    "/%C3%A9?q=%C3%A9": ("/\u00c3\u00a9", "q=%C3%A9", "x"),
    "//a//": ("//a//", "", "x"),
    "/a?b?c": ("/a", "b?c", "x"),
    "*": ("*", "", "x"),
    "http://y:1/a?b": ("/a", "b", "y:1"),
    "HTTPS://me@y?b": ("/", "b", "y"),
    "http://y": ("/", "", "y"),
}


@pytest.mark.parametrize(("target", "expected"), TARGETS.items(), ids=TARGETS)
def test_a_target_has_several_forms(target, expected):
    """RFC 9112 §3.2; PEP 3333: the path is decoded, the query is not."""
    found = one(request("OPTIONS", target))

    assert (found["PATH_INFO"], found["QUERY_STRING"], found["HTTP_HOST"]) == expected


def test_fields_of_one_name_are_a_list_and_an_underscore_is_no_dash():
    """RFC 9110 §5.2, §5.3."""
    found = one(
        request("GET", "/", "X-A: b", "x-a:\t c \t", "X_A: d", "Content_Length: 9"), 3
    )

    assert found["HTTP_X_A"] == "b, c"
    assert "CONTENT_LENGTH" not in found


def test_a_connect_is_a_request_like_any_other():
    """RFC 9110 §9.3.6: nothing of a tunnel unless the answer is 2xx."""
    found = one(request("CONNECT", "y:443", body=b"ab"), 5)

    assert (found["REQUEST_METHOD"], body_of(found)) == ("CONNECT", b"ab")


def test_offers_of_another_protocol_are_passed_over_however_many():
    """RFC 9110 §7.8."""
    arrivals = arrive(request("GET", "/", *UPGRADE) * 1_500)

    assert (len(arrivals.ready), arrivals.refused) == (1_500, None)


def test_an_offer_brings_no_request_in_its_body():
    """CWE-444."""
    found = one(request("POST", "/", *UPGRADE, body=NEXT))

    assert body_of(found) == NEXT


AT_A_BOUND = {
    "bytes": lambda over: request(
        "GET", "/", "A: " + "a" * (HEAD_BYTES_MAX - 7 + over)
    ),
    "fields": lambda over: request("GET", "/", *["A: b"] * (HEADERS_MAX - 1 + over)),
    "a name": lambda over: request("GET", "/", "A" * (NAME_BYTES_MAX + over) + ": b"),
    "many bytes": lambda over: request(
        "GET",
        "/",
        *["A: " + "a" * 999] * 32,
        "A: " + "a" * (HEAD_BYTES_MAX - 32_007 + over),
    ),
}


@whole_or_in_drips
@pytest.mark.parametrize("head", AT_A_BOUND.values(), ids=AT_A_BOUND)
def test_a_head_is_bounded(head, size):
    """RFC 6585 §5."""
    beyond = arrive(head(1), size)

    assert one(head(0), size)
    assert (beyond.refused.status, beyond.refused.code) == (431, "head_too_large")


@whole_or_in_drips
def test_a_target_is_bounded(size):
    """RFC 9110 §15.5.15."""
    beyond = arrive(request("GET", "/" + "a" * HEAD_BYTES_MAX), size)

    assert one(request("GET", "/" + "a" * (HEAD_BYTES_MAX - 6)), size)
    assert (beyond.refused.status, beyond.refused.code) == (414, "uri_too_long")


ENDLESS = {
    "a name": b"GET / HTTP/1.1\r\nA",
    "a value": b"GET / HTTP/1.1\r\nA: ",
    "a chunk's extension": request("POST", "/", CHUNKED) + b"1;",
    "a trailer": request("POST", "/", CHUNKED) + b"1\r\na\r\n0\r\nA: ",
}


@pytest.mark.parametrize("sent", ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_refused_all_the_same(sent):
    arrivals = arrive(sent + b"a" * 10 * SILENT_BYTES_MAX, 1_000)

    assert arrivals.refused.status == 431


def test_a_head_is_not_charged_for_what_came_before_it():
    """RFC 9112 §9.3.2: of requests sent ahead, any may be cut by the end of a piece."""
    sent = request("GET", "/") * 10_000

    arrivals = arrive(sent)

    assert (len(arrivals.ready), arrivals.refused) == (10_000, None)


def test_many_small_chunks_are_no_head():
    chunks = [b"a"] * SILENT_BYTES_MAX

    found = one(request("POST", "/", CHUNKED) + chunked(*chunks), 6)

    assert len(body_of(found)) == len(chunks)


BODIES = {
    "length": lambda size: (f"Content-Length: {size}", b"a" * size),
    "chunks": lambda size: (CHUNKED, chunked(b"a" * (size - 9), b"a" * 9)),
}


@pytest.mark.parametrize("offer", [(), UPGRADE], ids=["", "upgrade"])
@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES)
def test_a_body_is_bounded(make, offer):
    """RFC 9110 §15.5.14: what is beyond is neither kept nor waited for."""
    within, beyond = make(BODY_BYTES_MAX), make(BODY_BYTES_MAX + 1)

    found = one(request("POST", "/", *offer, within[0]) + within[1])
    cut = arrive((request("POST", "/", *offer, beyond[0]) + beyond[1])[:-1]).ready[0]

    assert len(body_of(found)) == BODY_BYTES_MAX
    assert (cut.cut, cut.keep_alive) == (True, False)


KEPT = {
    "HTTP/1.1": (request("GET", "/"), True),
    "close": (request("GET", "/", "Connection: close"), False),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", False),
    "keep-alive": (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    "upgrade": (request("POST", "/", *UPGRADE, body=b"a"), True),
    "close, upgrade": (
        request("POST", "/", "Connection: close, upgrade", "Upgrade: a", body=b"a"),
        False,
    ),
}


@pytest.mark.parametrize(("sent", "kept"), KEPT.values(), ids=KEPT)
def test_a_connection_is_kept_as_its_client_wishes(sent, kept):
    """RFC 9112 §9.3."""
    assert arrive(sent).ready[0].keep_alive is kept


def test_only_a_body_to_come_is_waited_for():
    """RFC 9110 §10.1.1."""
    head = request("POST", "/", "Expect: 100-continue", "Content-Length: 2")

    assert arrive(head).current.expects
    assert not arrive(head + b"a").current.expects
    assert not arrive(request("GET", "/", "Expect: 100-continue")).current
    assert not arrive(head.replace(b"1.1", b"1.0")).current.expects
    assert not arrive(head.replace(b": 2", b": 9999999")).current.expects
