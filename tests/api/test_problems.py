"""Conventions, row "errors": every one is a problem (RFC 9457)."""

from uuid import uuid4

import pytest

from api.app import create_app
from domain.settings import Settings
from tests.api.calling import PROBLEM, Caller, opened, operation
from tests.factories import make_owner

MEMBERS = {"type", "title", "status", "detail", "instance", "code"}
INTERNALS = ("Traceback", "psycopg2", "sqlalchemy", "SELECT", 'File "', "/work/", ".py")


class Broken:
    """A resource with a bug whose message nobody outside may read."""

    def on_get(self, req, resp):
        raise RuntimeError("SELECT secret FROM psycopg2")


@pytest.fixture(scope="module")
def broken(api_database):
    app = create_app(Settings(database_url=api_database))
    app.add_route("/broken", Broken())
    with opened("/broken"):
        yield Caller(app)


@pytest.fixture
def away(caller):
    """An API whose database does not answer."""
    app = create_app(Settings(database_url="postgresql://x@127.0.0.1:9/x"))
    return Caller(app, caller.key)


@pytest.fixture
def problem_of(caller, stranger, broken):
    """Return a maker of one problem of each status."""
    owner = make_owner()
    reused = operation(owner)

    def reuse():
        caller.post("/ledger", reused)
        return caller.post("/ledger", {**reused, "owner_id": make_owner()})

    return {
        "400": lambda: caller.post("/ledger", b"{"),
        "401": lambda: stranger.get("/jobs"),
        "404": lambda: caller.get("/nowhere"),
        "404 of a job": lambda: caller.get(f"/jobs/{uuid4()}"),
        "404 of an owner": lambda: caller.get("/ledger/no%20body"),
        "405": lambda: caller.delete("/ledger"),
        "409": lambda: caller.done("/ledger", operation(make_owner(), "CREDIT_SPEND")),
        "413": lambda: caller.post("/ledger", b" " * (5 * 2**20 + 1)),
        "415": lambda: caller.post("/ledger", b"a=1", media="text/plain"),
        "422": lambda: caller.post("/ledger", {}),
        "422 of a query": lambda: caller.get("/jobs", params={"limit": "0"}),
        "422 of a key": reuse,
        "500": lambda: broken.get("/broken"),
    }


PROBLEMS = [
    "400",
    "401",
    "404",
    "404 of a job",
    "404 of an owner",
    "405",
    "409",
    "413",
    "415",
    "422",
    "422 of a query",
    "422 of a key",
    "500",
]


@pytest.fixture
def answer(problem_of, request, worker):
    return problem_of[request.param]()


each = pytest.mark.parametrize("answer", PROBLEMS, indirect=True)


@each
def test_an_error_is_a_problem(answer):
    """RFC 9457 §3: media type, and §3.1: members."""
    assert answer.headers["Content-Type"] == PROBLEM
    assert set(answer.json) >= MEMBERS


@each
def test_a_problem_has_the_status_of_its_answer(answer, request):
    """RFC 9457 §3.1.2."""
    expected = int(request.node.callspec.params["answer"][:3])

    assert answer.status_code == answer.json["status"] == expected


@each
def test_a_problem_names_its_request(answer):
    """RFC 9457 §3.1.5: instance identifies this occurrence."""
    assert answer.json["instance"] == answer.headers["X-Request-ID"]


@each
def test_a_problem_tells_nothing_of_our_inside(answer):
    """RFC 9457 §5: no debugging information."""
    assert not [word for word in INTERNALS if word in answer.text]


@each
def test_the_type_of_a_problem_leads_to_help(answer, stranger):
    """RFC 9457 §3.1.1: dereferencing the type gives documentation for people."""
    problem = answer.json

    page = stranger.get(problem["type"], headers={"Accept": "text/html"})

    assert (page.status_code, problem["type"]) == (200, f"/problems/{problem['code']}")
    assert page.headers["Content-Type"].startswith("text/html")


@each
def test_a_title_is_the_same_for_every_problem_of_a_type(answer, stranger):
    """RFC 9457 §3.1.3: the title does not change from occurrence to occurrence."""
    explained = stranger.get(answer.json["type"])

    assert answer.json["title"] == explained.json["title"]


def test_an_unknown_type_of_problem_is_404(stranger):
    answer = stranger.get("/problems/no_such_code")

    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_405_says_what_is_allowed(caller):
    """RFC 9110 §15.5.6: Allow, a MUST."""
    answer = caller.delete("/ledger")

    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_a_415_says_what_is_accepted(caller):
    """RFC 9110 §15.5.16, and Accept-Post of LDP 1.0 §7.1."""
    answers = [
        caller.post(path, b"x", media="text/plain")
        for path in ("/ledger", "/ledger/batches")
    ]

    assert [answer.headers["Accept-Post"] for answer in answers] == [
        "application/json",
        "application/json, application/x-ndjson",
    ]


def test_a_403_names_the_scope_that_is_missing(new_caller):
    """RFC 9110 §15.5.4."""
    answer = new_caller("ledger:read").post("/ledger", operation(make_owner()))

    assert answer.headers["Content-Type"] == PROBLEM
    assert (answer.status_code, answer.json["scope"]) == (403, "ledger:spend")


def test_validation_says_where_with_json_pointers(caller):
    """RFC 6901 §3, in the extension RFC 9457 §3.1 shows for it."""
    answer = caller.post(
        "/ledger", {"owner_id": "", "operation": 5, "a/b~c": 1, "nonce": "n"}
    )

    errors = {error["pointer"]: error["detail"] for error in answer.json["errors"]}
    assert set(errors) == {"/owner_id", "/operation", "/a~1b~0c"}
    assert all(errors.values())


def test_a_bug_is_500_and_the_next_request_is_served(broken):
    """RFC 9110 §15.6.1."""
    answer = broken.get("/broken")

    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert broken.get("/health").status_code == 200


def test_a_database_that_is_away_is_503_with_when_to_come_back(away):
    """RFC 9110 §15.6.4 and §10.2.3."""
    answer = away.get("/jobs")

    assert answer.status_code == answer.json["status"] == 503
    assert answer.json["code"] == "database_unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
    assert not [word for word in INTERNALS if word in answer.text]


def test_problems_are_not_kept_by_caches(caller):
    """RFC 9111 §5.2.2.5."""
    answer = caller.get("/nowhere")

    assert answer.headers["Cache-Control"] == "no-store"
