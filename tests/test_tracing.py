"""Spans: made where somebody collects them, and nothing at all elsewhere."""

import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import structlog

import tracing
from tests.databases import ROOT

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE_ID, CALLERS_SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
SECONDS = 20


def make_span(parent=None, **ending):
    span = tracing.begin("work", kind="SERVER", parent=parent)
    span.end(attributes={}, **ending)
    return span


@pytest.fixture
def collector():
    """A collector's HTTP, and what it was sent."""
    sent = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_said):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", sent
        tracing.configure("")
        server.shutdown()
        thread.join()


def test_a_span_is_a_child_of_the_callers(collected):
    make_span(CALLER)

    (span,) = collected()
    assert (span.context.trace_id, span.parent.span_id) == (TRACE_ID, CALLERS_SPAN)


def test_what_a_span_causes_is_its_child(collected):
    """W3C Trace Context §3.2.2.4: the parent-id is the span that calls."""
    made = make_span(CALLER)
    make_span(made.trace)

    cause, effect = collected()
    assert made.trace.split("-")[1] == CALLER.split("-")[1]
    assert effect.parent.span_id == cause.context.span_id


def test_a_span_of_nobodys_begins_a_trace(collected):
    make_span()
    make_span()

    one, other = collected()
    assert one.parent is None
    assert one.context.trace_id != other.context.trace_id


def test_what_a_caller_does_not_want_sampled_is_not(collected):
    """W3C Trace Context §3.2.2.5.1."""
    made = make_span(CALLER[:-2] + "00")

    assert collected() == ()
    assert made.trace.endswith("-00")


def test_a_failure_is_marked(collected):
    make_span(failed=True)
    make_span()

    assert [span.status.is_ok for span in collected()] == [False, True]


def test_where_nobody_collects_there_are_no_spans():
    assert tracing.begin("work", kind="SERVER", parent=CALLER) is None


def test_a_missing_extra_is_said_once_and_costs_nothing(monkeypatch):
    monkeypatch.setattr(tracing, "find_spec", lambda _name: None)

    with structlog.testing.capture_logs() as logs:
        tracing.configure("http://collector.example:4318")

    assert [line["event"] for line in logs] == ["spans_not_collected"]
    assert tracing.begin("work", kind="SERVER", parent=None) is None


def test_without_an_endpoint_nothing_of_it_is_imported():
    code = (
        "import sys, api.app, tasks, tracing\n"
        "tracing.configure('')\n"
        "tracing.begin('work', kind='SERVER', parent=None)\n"
        # redis-py looks whether the rest is there.
        "ours = ('opentelemetry.exporter', 'opentelemetry.sdk.trace')\n"
        "print([name for name in sys.modules if name.startswith(ours)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "postgresql://nobody/none"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )

    assert done.stdout == "[]\n"


def test_spans_reach_a_collector_as_otlp_over_http(collector):
    address, sent = collector
    tracing.configure(address)
    make_span(CALLER)

    tracing.stop()

    ((path, media, body),) = sent
    assert (path, media) == ("/v1/traces", "application/x-protobuf")
    assert TRACE_ID.to_bytes(16, "big") in body
    assert b"peoples-coin" in body


def test_a_collector_that_is_away_delays_nobody():
    tracing.configure("http://127.0.0.1:9")
    began = time.monotonic()
    for _ in range(100):
        make_span()
    seconds = time.monotonic() - began
    tracing.configure("")

    assert seconds < 1
