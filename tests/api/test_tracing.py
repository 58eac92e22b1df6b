"""Conventions, row "tracing": a request is known by one id from end to end."""

from uuid import UUID

import pytest

from domain.jobs import Job
from tests.api.calling import operation
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

    line = next(line for line in capfd.readouterr().out.splitlines() if "mine" in line)
    assert answer.json["id"] in line
