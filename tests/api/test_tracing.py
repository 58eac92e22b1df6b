"""Conventions, row "tracing": a request is known by one id from end to end."""

from uuid import UUID

import pytest

from api.app import create_app
from domain.jobs import Job
from domain.settings import Settings
from tests.api.calling import Caller, operation
from tests.factories import make_owner

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("given", ["mine", "a.b_c:d~e-f", "x" * 128, "0"])
def test_a_request_keeps_the_id_it_came_with(stranger, given):
    answer = stranger.get("/health", headers={"X-Request-ID": given})

    assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x" * 129,
        "two words",
        "a\tb",
        "a;b",
        "<script>",
        "é",
        '"quoted"',
        "a,b",
        "%0d%0aSet-Cookie: a=b",
        "../../etc",
    ],
)
def test_a_malformed_id_is_replaced(stranger, given):
    answer = stranger.get("/health", headers={"X-Request-ID": given})

    assert UUID(answer.headers["X-Request-ID"]).version == 7


def test_a_request_without_id_gets_one_of_its_own(stranger):
    answers = [stranger.get("/health").headers["X-Request-ID"] for _ in range(3)]

    assert len(set(answers)) == 3


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nowhere"), ("GET", "/jobs"), ("PATCH", "/ledger"), ("BREW", "/ledger")],
)
def test_an_error_has_the_id_too(stranger, method, path):
    answer = stranger.raw(method, path, headers={"X-Request-ID": "mine"})

    assert answer.headers["X-Request-ID"] == answer.json["instance"] == "mine"


def test_id_and_trace_are_stored_with_the_job(caller, api_sessions):
    """W3C Trace Context §3.2: traceparent."""
    answer = caller.post(
        "/ledger",
        operation(make_owner()),
        headers={"X-Request-ID": "mine", "traceparent": TRACE},
    )

    with api_sessions() as session:
        job = session.get(Job, UUID(answer.json["id"]))
    assert (job.request_id, job.trace) == ("mine", TRACE)
    assert answer.json["request_id"] == "mine"


@pytest.mark.parametrize(
    "trace",
    [
        "",
        "nonsense",
        TRACE.upper(),
        TRACE[:-1],
        TRACE + "-extra",
        "ff" + TRACE[2:],
        "00-" + "0" * 32 + TRACE[35:],
        TRACE[:36] + "0" * 16 + "-01",
        "00-%00" + TRACE[6:],
    ],
)
def test_a_malformed_trace_is_ignored(caller, api_sessions, trace):
    """W3C Trace Context §3.2.2: version ff and all-zero ids are invalid."""
    answer = caller.post(
        "/ledger", operation(make_owner()), headers={"traceparent": trace}
    )

    with api_sessions() as session:
        assert session.get(Job, UUID(answer.json["id"])).trace is None


def test_a_trace_is_returned(stranger):
    answer = stranger.get("/health", headers={"traceparent": TRACE})

    assert answer.headers["traceparent"] == TRACE


def test_a_problem_names_its_trace(stranger):
    answer = stranger.get("/nowhere", headers={"traceparent": TRACE})

    assert answer.json["trace"] == TRACE


def test_the_log_line_of_a_write_names_its_job(caller, capfd):
    answer = caller.post(
        "/ledger", operation(make_owner()), headers={"X-Request-ID": "mine"}
    )

    # Where logs go depends on who set them up last.
    lines = "".join(capfd.readouterr()).splitlines()
    line = next(line for line in lines if "mine" in line)
    assert answer.json["id"] in line


# Where spans are collected


def stored_trace(api_sessions, answer):
    with api_sessions() as session:
        return session.get(Job, UUID(answer.json["id"])).trace


def test_a_job_is_caused_by_the_requests_span(caller, api_sessions, collected):
    answer = caller.post(
        "/ledger",
        operation(make_owner()),
        headers={"traceparent": TRACE, "X-Request-ID": "mine"},
    )

    (span,) = collected()
    assert span.name == "POST /ledger"
    assert f"{span.parent.span_id:016x}" == TRACE.split("-")[2]
    assert dict(span.attributes) == {
        "http.request.method": "POST",
        "http.route": "/ledger",
        "http.response.status_code": 202,
        "coin.request.id": "mine",
    }
    own = f"00-{TRACE.split('-')[1]}-{span.context.span_id:016x}-01"
    assert stored_trace(api_sessions, answer) == own
    assert answer.headers["traceparent"] == own


def test_a_request_without_trace_begins_one(caller, api_sessions, collected):
    answer = caller.post("/ledger", operation(make_owner()))

    (span,) = collected()
    assert span.parent is None
    assert f"{span.context.trace_id:032x}" in stored_trace(api_sessions, answer)


def test_a_write_is_one_trace_from_request_to_job(caller, worker, collected):
    caller.done("/ledger", operation(make_owner()), headers={"traceparent": TRACE})

    spans = {span.name: span for span in collected()}
    request, job = spans["POST /ledger"], spans["ledger.post_operation"]
    assert job.context.trace_id == request.context.trace_id
    assert job.parent.span_id == request.context.span_id


def test_only_our_own_errors_are_failures(stranger, app, collected):
    away = Caller(create_app(Settings(database_url="postgresql://x@127.0.0.1:9/x")))
    stranger.get("/nowhere")
    away.get("/status/ready")

    assert [(span.name, span.status.is_ok) for span in collected()] == [
        ("GET (none)", True),
        ("GET /status/ready", False),
    ]
