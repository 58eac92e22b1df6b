"""A receiver of webhooks on loopback, which keeps what it is sent."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from standardwebhooks import Webhook


class Received(NamedTuple):
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verify(self, secret):
        """Return what is said, or raise; as a receiver that knows the rules does."""
        return Webhook(secret).verify(self.body, self.headers)

    @property
    def said(self):
        return json.loads(self.body)


class Receiver:
    """Answers 204 unless told otherwise; `answer` may be a function of the request."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/hook"
        self.port = port
        self.received = []
        self.answer = (204, {}, b"")

    def types(self):
        return [received.said["type"] for received in self.received]

    def reply(self, received):
        self.received.append(received)
        answer = self.answer
        return answer(received) if callable(answer) else answer


@contextmanager
def receiving(wrap=None):
    """Receive for as long as the block lasts; `wrap` makes TLS of a socket."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            received = Received(self.path, dict(self.headers), body)
            status, headers, said = receiver.reply(received)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST  # noqa: N815  the name is the library's

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        # A client may leave in the middle, on purpose.
        server.handle_error = lambda *_: None
        if wrap is not None:
            server.socket = wrap(server.socket)
        receiver = Receiver(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
