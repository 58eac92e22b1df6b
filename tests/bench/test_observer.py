"""Polls are sent as often as meant, and what they cost is told as it is."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.observer import RATE, Seen, page
from bench.polling import PATHS, Polled, polling
from tests.waiting import eventually

FACTS = {"cores": 2, "commit": "abc1234"}


@pytest.fixture
def server():
    """A server that answers 404 to one path and 200 to all others."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(404 if self.path == PATHS[0] else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_said):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_path_is_polled_as_often_as_meant(server):
    began = time.monotonic()
    with polling(server, 100.0) as polled:
        eventually(lambda: polled.statuses.total() >= 30)
        took = time.monotonic() - began

    # The sixth time is due a quarter of a second after the first.
    assert 0.24 <= took < 5
    count = polled.statuses.total()
    assert polled.statuses[404] == count / len(PATHS)
    assert len(polled.latencies) == count


def seen(*, alone, polled, answered=RATE):
    answers = Polled(latencies=[0.002] * int(answered))
    answers.statuses[200] = len(answers.latencies)
    return Seen(alone=alone, polled=polled, seconds=1.0, spent=0.02, answers=answers)


def test_the_middle_pair_decides():
    alone = [900.0, 1_000.0, 5_000.0]

    assert seen(alone=alone, polled=[100.0, 980.0, 5_000.0]).passed
    assert not seen(alone=alone, polled=[960.0, 960.0, 960.0]).passed


def test_polls_that_were_not_answered_prove_nothing():
    assert not seen(alone=[1_000.0], polled=[1_000.0], answered=RATE / 2).passed


def test_the_page_tells_what_was_seen():
    told = page(
        seen(alone=[1_000.0] * 3, polled=[970.0, 980.0, 1_000.0]),
        FACTS,
        81_000_000,
        ["10", "7"],
    )

    assert "`python -m bench.observer 10 7` on 2 cores" in told
    assert "| writes applied a second, median | 1,000 | 980 |" in told
    assert "| processor time of the node, µs a poll |  | 100 |" in told
    assert "differs by **-2.0%**" in told
    assert "from -3.0% to +0.0%" in told
