"""What browsers are told: CORS (Fetch §3.2) and the headers that keep pages apart."""

import pytest

from api.app import create_app
from api.assets import path_of
from domain.settings import Settings
from tests.api.calling import Caller, opened, operation
from tests.factories import make_owner

OURS = "https://app.example"
OTHER = "https://console.example:8443"
STRANGE = "https://evil.example"
EXPOSED = {
    *("Location", "Retry-After", "Link", "ETag", "RateLimit", "RateLimit-Policy"),
    *("X-Request-ID", "Idempotency-Replayed", "Preference-Applied"),
}


@pytest.fixture(scope="module")
def cors_app(api_database):
    return create_app(
        Settings(
            database_url=api_database,
            cors_origins=f"{OURS}, {OTHER}",
            rate_limit_address="off",
            trusted_proxies="10.0.0.0/8",
        )
    )


@pytest.fixture
def page(cors_app, caller):
    return Caller(cors_app, caller.key)


def preflight(page, origin=OURS, method="POST", path="/ledger", **headers):
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "x-api-key, content-type",
    }
    return page.send("OPTIONS", path, headers={**asked, **headers})


def items(value):
    return {item.strip() for item in value.split(",")}


@pytest.mark.parametrize("origin", [OURS, OTHER])
def test_a_preflight_of_an_origin_named_is_answered(cors_app, origin):
    """Before it is known who calls: browsers show no credential yet."""
    answer = preflight(Caller(cors_app), origin)

    headers = answer.headers
    assert (answer.status_code, answer.content) == (204, b"")
    assert headers["Access-Control-Allow-Origin"] == origin
    assert items(headers["Access-Control-Allow-Methods"]) >= {"POST", "DELETE", "PATCH"}
    assert {
        name.lower() for name in items(headers["Access-Control-Allow-Headers"])
    } >= {
        *("authorization", "x-api-key", "content-type", "idempotency-key", "prefer"),
        *("if-match", "if-none-match"),
    }
    assert int(headers["Access-Control-Max-Age"]) > 0
    assert items(headers["Vary"]) >= {
        "Origin",
        "Access-Control-Request-Method",
        "Access-Control-Request-Headers",
    }


@pytest.mark.parametrize(
    "origin",
    [
        STRANGE,
        "null",
        "*",
        f"{OURS}.evil.example",
        f"{OURS}:443",
        "http://app.example",
        "https://APP.example",
        f"{OURS}/",
        f"{OURS}, {STRANGE}",
    ],
)
def test_no_other_origin_is_allowed_anything(page, origin):
    answers = [
        preflight(page, origin),
        page.get("/jobs", headers={"Origin": origin}),
    ]

    for answer in answers:
        allowed = [name for name in answer.headers if name.startswith("access-control")]
        assert allowed == []
        assert "Origin" in items(answer.headers["Vary"])


@pytest.mark.parametrize("path", ["/jobs", "/nowhere", "/ledger/alice"])
def test_a_page_of_an_origin_named_may_read_every_answer(page, path):
    answer = page.get(path, headers={"Origin": OURS})

    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert items(answer.headers["Access-Control-Expose-Headers"]) == EXPOSED
    assert "Origin" in items(answer.headers["Vary"])


def test_credentials_of_browsers_are_never_allowed(page):
    for answer in (preflight(page), page.get("/jobs", headers={"Origin": OURS})):
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert answer.headers["Access-Control-Allow-Origin"] != "*"


def test_caches_keep_the_answers_to_origins_apart_whoever_asks(page):
    """Also the answer that says nothing of origins: it differs from another's."""
    answer = page.get("/jobs")

    assert "Origin" in items(answer.headers["Vary"])
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_what_varies_besides_is_still_said(page):
    answer = page.post(
        "/ledger", operation(make_owner()), headers={"Origin": OURS, "Prefer": "wait=0"}
    )

    assert items(answer.headers["Vary"]) == {"Prefer", "Origin"}


def test_options_without_a_preflight_says_what_is_allowed(page):
    answer = page.send("OPTIONS", "/ledger", headers={"Origin": OURS})

    assert answer.headers["Allow"] == "OPTIONS, POST"
    assert answer.headers["Access-Control-Allow-Origin"] == OURS


def test_a_preflight_does_not_use_up_a_quota(api_database):
    app = create_app(
        Settings(
            database_url=api_database, cors_origins=OURS, rate_limit_address="1/minute"
        )
    )

    assert {preflight(Caller(app)).status_code for _ in range(5)} == {204}


def test_by_default_no_origin_is_allowed(stranger):
    answer = preflight(stranger)

    assert [name for name in answer.headers if name.startswith("access-control")] == []


ANSWERS = {
    "a list": ("GET", "/jobs"),
    "an item": ("GET", "/ledger/alice"),
    "a 404": ("GET", "/nowhere"),
    "a 405": ("DELETE", "/ledger"),
    "a 415": ("POST", "/ledger"),
    "a page": ("GET", "/docs"),
    "a file of a page": ("GET", path_of("help.css")),
    "OPTIONS": ("OPTIONS", "/jobs"),
}


@pytest.mark.parametrize(("method", "path"), ANSWERS.values(), ids=ANSWERS)
def test_every_answer_is_what_it_says_and_in_nobodys_frame(caller, method, path):
    headers = caller.send(method, path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))


def test_a_page_may_use_nothing_of_the_device(stranger):
    page, data = (stranger.get(path) for path in ("/docs", "/health"))

    assert "camera=()" in page.headers["Permissions-Policy"]
    assert "Permissions-Policy" not in data.headers


class Page:
    def on_get(self, req, resp):
        resp.content_type = "text/html"
        resp.text = "<style>p { color: red }</style>"
        resp.set_header("Content-Security-Policy", "default-src 'self'")


def test_a_page_may_set_a_policy_of_its_own(api_database):
    app = create_app(Settings(database_url=api_database))
    app.add_route("/page", Page())
    with opened("/page"):
        answer = Caller(app).get("/page")

    assert answer.headers["Content-Security-Policy"] == "default-src 'self'"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, False),
        ({"protocol": "https"}, True),
        ({"headers": {"X-Forwarded-Proto": "https"}}, False),
        ({"headers": {"X-Forwarded-Proto": "https"}, "remote_addr": "10.0.0.9"}, True),
        ({"headers": {"X-Forwarded-Proto": "http"}, "remote_addr": "10.0.0.9"}, False),
    ],
)
def test_who_came_by_https_is_told_to_stay_there(page, options, expected):
    """RFC 6797 §7.2: not over HTTP."""
    answer = page.get("/health", **options)

    assert ("Strict-Transport-Security" in answer.headers) is expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "host=evil.example;for=192.0.2.1"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Original-URL", "/evil"),
        ("Host", "evil.example"),
        ("Origin", STRANGE),
        ("Referer", STRANGE),
        ("User-Agent", "evil.example"),
        ("Prefer", "wait=0, evil.example=1"),
    ],
)
@pytest.mark.parametrize("path", ["/jobs?limit=1", "/nowhere", "/ledger", "/health"])
def test_no_header_of_a_callers_comes_back(page, name, value, path):
    """What is not echoed cannot poison a cache."""
    method = "POST" if path == "/ledger" else "GET"
    answer = page.send(method, path, headers={name: value})

    said = str(dict(answer.headers)) + answer.text
    assert "evil" not in said


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "GZIP", "gzip, gzip"])
@pytest.mark.parametrize("path", ["/ledger", "/ledger/batches"])
def test_a_compressed_body_is_415(caller, path, encoding):
    """RFC 9110 §15.5.16; nothing is unpacked, so nothing grows."""
    answer = caller.post(
        path, b"\x1f\x8b" + b"x" * 99, headers={"Content-Encoding": encoding}
    )

    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "identity")
    assert answer.json["code"] == "unsupported_content_encoding"


def test_a_body_that_says_it_is_not_compressed_is_read(caller):
    answer = caller.post(
        "/ledger",
        operation(make_owner()),
        headers={"Content-Encoding": "identity"},
    )

    assert answer.status_code == 202
