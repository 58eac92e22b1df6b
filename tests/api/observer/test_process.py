"""`python -m api.observer`, with no API, no worker and no broker beside it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing

import psutil
import pytest
import sqlalchemy as sa

from cli.processes import free_port
from tests.api.observer.relay import Relay
from tests.databases import ROOT
from tests.end_to_end.wire import Wire, request
from tests.waiting import eventually

PATHS = (
    "/health",
    "/api/system_state",
    "/api/controller_decisions",
    "/api/governance_state",
    "/api/audit_summary",
)
START_SECONDS = 30
# A request waits for a frozen database this long at most; for nothing else at all.
PATIENCE_SECONDS = 8
PROMPT_SECONDS = 2


class Running:
    """A node in a process of its own."""

    def __init__(self, home, **environ):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._netloc = f"127.0.0.1:{port}"
        kept = {k: v for k, v in os.environ.items() if not k.endswith("_URL")}
        self.log = home.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.observer"],
                cwd=ROOT,
                env={
                    **kept,
                    "HOME": os.fspath(home),
                    "HOST": "127.0.0.1",
                    "OBSERVABILITY_PORT": str(port),
                    **environ,
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually(self._answers, within=START_SECONDS)

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/health")[0] == 200
        except OSError:
            return False

    def get(self, path, *, seconds=PATIENCE_SECONDS):
        """Return the status and the JSON of an answer."""
        connection = http.client.HTTPConnection(self._netloc, timeout=seconds)
        with closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.load(answer)

    def everyone(self):
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(START_SECONDS)


@pytest.fixture(scope="module")
def relay(own_login):
    """A relay before the database."""
    url = sa.make_url(own_login)
    relay = Relay(url.host, url.port or 5432)
    yield relay
    relay.close()


@pytest.fixture(scope="module")
def broker():
    """What takes connections and never says a word, in place of Redis and RabbitMQ."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture(scope="module")
def running(tmp_path_factory, own_login, relay, broker):
    """A node that knows no other login than its own."""
    through = sa.make_url(own_login).set(host="127.0.0.1", port=relay.port)
    port = broker.getsockname()[1]
    running = Running(
        tmp_path_factory.mktemp("home"),
        OBSERVABILITY_DATABASE_URL=through.render_as_string(hide_password=False),
        REDIS_URL=f"redis://127.0.0.1:{port}/0",
        RABBITMQ_URL=f"amqp://127.0.0.1:{port}/",
    )
    yield running
    running.stop()


@pytest.mark.parametrize("path", PATHS)
def test_it_answers_everything_alone(running, path):
    status, said = running.get(path)

    assert status == 200
    assert said["timestamp"]
    assert "error" not in said.get("database_activity", {})


def test_a_broker_that_is_frozen_is_not_even_asked(running, broker):
    for path in PATHS:
        running.get(path)

    with pytest.raises(BlockingIOError):
        broker.accept()


def test_over_the_wire_head_has_the_length_and_no_body(running):
    with Wire(running.url) as wire:
        for path in PATHS[1:]:
            wire.send(request("GET", path))
            status, got, body = wire.answer()
            wire.send(request("HEAD", path))
            again, head, _ = wire.answer("HEAD")

            assert (status, again) == (200, 200)
            assert int(head["Content-Length"]) > 0
            if head["ETag"] == got["ETag"]:
                assert int(head["Content-Length"]) == len(body)


@pytest.mark.parametrize(
    "asked",
    [
        request("POST", "/api/audit_summary", body=b'{"a": 1}'),
        request("PUT", "/health", "Content-Type: text/plain", body=b"x" * 100_000),
        request("DELETE", "/api/governance_state"),
        request("OPTIONS", "/api/system_state", "Origin: https://page.example"),
        request("OPTIONS", "*"),
        request("TRACE", "/health"),
        request("PROPFIND", "/nowhere"),
    ],
    ids=lambda asked: asked.split(b" ", 1)[0].decode(),
)
def test_over_the_wire_other_methods_are_refused_and_the_connection_goes_on(
    running, asked
):
    with Wire(running.url) as wire:
        status, headers, body = wire.send(asked).answer()
        after, *_ = wire.send(request("GET", "/health")).answer()

    assert (status, after) == (405, 200)
    assert headers["Allow"] == "GET, HEAD"
    assert json.loads(body)["error"] == "Method Not Allowed"


def test_a_frozen_database_delays_nothing_that_needs_none(running, relay):
    assert "error" not in running.get("/api/system_state")[1]["database_activity"]
    relay.freeze()
    try:

        def noticed():
            began = time.monotonic()
            assert running.get("/health", seconds=PROMPT_SECONDS)[0] == 200
            assert time.monotonic() - began < PROMPT_SECONDS
            state = running.get("/api/system_state")[1]
            assert state["system_metrics"]["memory"]
            return "error" in state["database_activity"]

        eventually(noticed, within=2 * PATIENCE_SECONDS)
        status, said = running.get("/api/controller_decisions")
        assert (status, said["code"]) == (503, "database_unavailable")
    finally:
        relay.thaw()
    eventually(
        lambda: "error" not in running.get("/api/system_state")[1]["database_activity"]
    )
    assert eventually(lambda: running.get("/api/controller_decisions")[0] == 200)


def test_it_ends_when_told_and_leaves_nothing_behind(tmp_path, api_database):
    home = tmp_path / "home"
    home.mkdir()
    running = Running(home, DATABASE_URL=api_database)
    everyone = running.everyone()
    with Wire(running.url) as idle:
        idle.send(request("GET", "/api/system_state")).answer()

        began = time.monotonic()
        running.process.send_signal(signal.SIGTERM)

        assert running.process.wait(START_SECONDS) == 0
        assert time.monotonic() - began < 8
    assert len(everyone) > 1
    assert not [one for one in everyone if one.is_running()]
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"OBSERVABILITY_PORT": "http"}, "OBSERVABILITY_PORT"),
        ({"DATABASE_URL": "", "OBSERVABILITY_DATABASE_URL": ""}, "DATABASE_URL"),
        ({"OBSERVABILITY_DATABASE_URL": "mysql://x"}, "OBSERVABILITY_DATABASE_URL"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_setting_is_named_and_nothing_starts(environ, named):
    known = {"DATABASE_URL": "postgresql://nobody/nothing"}
    done = subprocess.run(
        [sys.executable, "-m", "api.observer"],
        cwd=ROOT,
        env={**os.environ, **known, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=START_SECONDS,
    )

    assert done.returncode == 1
    assert done.stderr.startswith(named)
    assert "Traceback" not in done.stderr
