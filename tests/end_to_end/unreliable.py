"""A proxy before the API that loses and refuses what it is told to."""

import http.client
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SECONDS = 40
DROPPED = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}
BUSY = {"busy": (503, "intake_full"), "limited": (429, "rate_limited")}


class Unreliable:
    """Serves requests by what is next in `fates`, and well when none is left.

    `lost` never reached the API; `unanswered` did, and its answer is lost; `busy` and
    `limited` are told to come again in a second.
    """

    def __init__(self, api, *fates):
        self.fates = list(fates)
        self.met = []
        address, unreliable = urlsplit(api).netloc, self

        class Handler(BaseHTTPRequestHandler):
            def serve(self):
                unreliable._serve(self, address)

            do_GET = do_POST = serve  # noqa: N815  what the library calls

            def log_message(self, *_said):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, handler, address):
        body = handler.rfile.read(int(handler.headers["Content-Length"] or 0))
        fate = self.fates.pop(0) if self.fates else "well"
        self.met.append((handler.command, fate))
        if fate in BUSY:
            status, code = BUSY[fate]
            said = json.dumps({"status": status, "code": code}).encode()
            answer(handler, status, {"Retry-After": "1"}, said)
            return
        if fate != "lost":
            status, headers, said = ask(address, handler, body)
            if fate == "well":
                answer(handler, status, headers, said)
                return
        handler.connection.shutdown(socket.SHUT_RDWR)


def ask(address, handler, body):
    connection = http.client.HTTPConnection(address, timeout=SECONDS)
    kept = {k: v for k, v in handler.headers.items() if k.lower() not in DROPPED}
    connection.request(handler.command, handler.path, body or None, kept)
    answered = connection.getresponse()
    said = answered.read()
    connection.close()
    return answered.status, dict(answered.headers), said


def answer(handler, status, headers, said):
    handler.send_response(status)
    for name, value in headers.items():
        if name.lower() not in DROPPED:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(said)))
    handler.end_headers()
    handler.wfile.write(said)
