import http.server
import json
import threading

import pytest

from cli.ledger_client import ApiAway, ApiRefused, LedgerClient


class Scripted(http.server.ThreadingHTTPServer):
    """An HTTP server that plays answers in turn: (status, headers, body) or None."""

    daemon_threads = True

    def __init__(self, *script):
        super().__init__(("127.0.0.1", 0), _Player)
        self.script = list(script)
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Player(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.path, dict(self.headers), body))
        answer = self.server.script.pop(0)
        if answer is None:  # the connection breaks after the request has arrived
            self.close_connection = True
            return
        status, headers, content = answer
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST  # noqa: N815  the library's name

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def scripted(monkeypatch):
    monkeypatch.setattr("cli.ledger_client._BACKOFF_SECONDS", 0.001)
    servers, clients = [], []

    def start(*script):
        server = Scripted(*script)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        clients.append(LedgerClient(server.url, "pc_key"))
        return server, clients[-1]

    yield start
    for client in clients:
        client.close()
    for server in servers:
        server.shutdown()
        server.server_close()


ACCEPTED = (202, {}, {"id": "1", "state": "queued"})


def test_a_batch_carries_key_and_idempotency_key(scripted):
    server, client = scripted(ACCEPTED)
    answer = client.submit(b"{}", idempotency_key="abc")
    path, headers, body = server.asked[0]
    assert (answer.body["id"], path, body) == ("1", "/ledger/batches", b"{}")
    assert headers["X-API-Key"] == "pc_key"
    assert headers["Idempotency-Key"] == '"abc"'
    assert not answer.resent


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_api_is_asked_again(scripted, status):
    busy = (status, {"Retry-After": "0"}, {"title": "busy"})
    server, client = scripted(busy, busy, ACCEPTED)
    assert client.submit(b"{}", idempotency_key="abc").status == 202
    assert len({headers["Idempotency-Key"] for _, headers, _ in server.asked}) == 1


def test_a_retry_waits_as_long_as_it_was_told(scripted, monkeypatch):
    naps = []
    monkeypatch.setattr("cli.ledger_client.time.sleep", naps.append)
    _, client = scripted((503, {"Retry-After": "3"}, {}), ACCEPTED)
    client.submit(b"{}", idempotency_key="abc")
    assert len(naps) == 1
    assert 3 <= naps[0] < 3.1


def test_a_broken_connection_is_tried_again_and_remembered(scripted):
    server, client = scripted(None, ACCEPTED)
    answer = client.submit(b"{}", idempotency_key="abc")
    assert answer.resent, "the first try may have arrived"
    assert len(server.asked) == 2


def test_a_refusal_is_not_asked_again(scripted):
    server, client = scripted((403, {}, {"detail": "This key may not spend."}))
    with pytest.raises(ApiRefused, match="403: This key may not spend"):
        client.submit(b"{}", idempotency_key="abc")
    assert len(server.asked) == 1


def test_an_api_that_stays_away_is_given_up_with_the_way_on(scripted, monkeypatch):
    monkeypatch.setattr("cli.ledger_client._TRIES_MAX", 3)
    server, client = scripted(None, None, None)
    with pytest.raises(ApiAway, match="run the same command again"):
        client.submit(b"{}", idempotency_key="abc")
    assert len(server.asked) == 3


@pytest.mark.parametrize("content", [b"<html>hello</html>", b"[]"])
def test_an_address_that_is_no_ledger_is_noticed(scripted, content):
    _, client = scripted((200, {}, content))
    with pytest.raises(ApiRefused, match="is the address right"):
        client.finished("1")


def test_a_job_is_waited_for_until_it_ends(scripted):
    queued = (200, {}, {"id": "1", "state": "queued"})
    done = (200, {}, {"id": "1", "state": "succeeded"})
    server, client = scripted(queued, queued, done)
    assert client.finished("1")["state"] == "succeeded"
    assert {path for path, _, _ in server.asked} == {"/jobs/1?wait=20"}
