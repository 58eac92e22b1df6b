"""A job is followed from its request to what a worker writes down about it."""

import pytest
import structlog

from domain.errors import Refused
from tests.factories import make_owner

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE_ID, PARENT = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
LONG = "ledger.long"


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def logs():
    with structlog.testing.capture_logs() as logs:
        yield logs


def lines(logs, event):
    return [line for line in logs if line["event"] == event]


def test_a_jobs_span_is_a_child_of_its_requests(lane, owner, collected):
    lane.submit(lane.write(owner, trace=TRACE, request_id="mine"))
    lane.drain()

    (span,) = collected()
    assert (span.context.trace_id, span.parent.span_id) == (TRACE_ID, PARENT)
    assert (span.name, span.kind.name) == ("ledger.post_operation", "CONSUMER")
    assert span.attributes["coin.request.id"] == "mine"
    assert span.attributes["coin.job.id"] == str(lane.rows()[0].id)
    assert span.start_time < span.end_time


def test_jobs_of_one_batch_have_a_span_each(lane, owner, collected):
    traces = [f"00-{n:032x}-{n:016x}-01" for n in (7, 8)]
    operations = ["CREDIT_SPEND", "CREDIT_ADD"]
    lane.submit(
        *(
            lane.write(owner, name, trace=trace)
            for name, trace in zip(operations, traces, strict=True)
        )
    )
    lane.drain()

    assert [
        (span.context.trace_id, span.attributes["coin.job.state"])
        for span in collected()
    ] == [(7, "refused"), (8, "succeeded")]


def test_a_followed_job_has_a_line_in_the_log(lane, owner, logs):
    lane.submit(lane.write(owner, trace=TRACE, request_id="mine"), lane.write(owner))
    lane.drain()

    followed, other = lines(logs, "job_applied")
    assert (followed["log_level"], other["log_level"]) == ("info", "debug")
    assert (followed["trace"], followed["request"]) == (TRACE, "mine")
    assert followed["job"] == str(lane.rows()[0].id)


def test_a_long_jobs_lines_name_its_request_and_trace(lane, declare, collected):
    seen = {}
    # What an API in this thread has bound for a request of another test.
    structlog.contextvars.clear_contextvars()

    def run(_session, _claim, **_others):
        seen.update(structlog.contextvars.get_contextvars())

    declare(LONG, long=run)
    lane.submit(lane.job(LONG, trace=TRACE, request_id="mine"))
    lane.drain()

    (span,) = collected()
    assert (seen["trace"], seen["request"], seen["kind"]) == (TRACE, "mine", LONG)
    assert (span.parent.span_id, span.status.is_ok) == (PARENT, True)
    assert "job" not in structlog.contextvars.get_contextvars()


@pytest.mark.parametrize(("error", "fine"), [(ValueError, False), (Refused, True)])
def test_a_long_job_that_fails_is_marked_and_a_refusal_is_not(
    lane, declare, collected, error, fine
):
    def run(_session, _claim, **_others):
        raise error

    declare(LONG, long=run)
    lane.submit(lane.job(LONG, trace=TRACE))
    lane.drain()

    (span,) = collected()
    assert span.status.is_ok == fine


def test_a_failure_names_its_request_and_trace(lane, declare, logs):
    def run(_session, _claim, **_others):
        raise ValueError

    declare(LONG, long=run)
    lane.submit(lane.job(LONG, trace=TRACE, request_id="mine"))
    lane.drain()

    (line,) = lines(logs, "job_will_be_retried")
    assert (line["trace"], line["request"]) == (TRACE, "mine")
