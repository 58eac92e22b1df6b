"""A web server of a few lines, for what the API asks of others."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answering:
    """What is answered at which path: JSON, or a function of the request's body."""

    def __init__(self, url):
        self.url = url
        self.answers = {}
        self.asked = []

    def reply(self, path, body):
        self.asked.append((path, body))
        answer = self.answers.get(path)
        return answer(body) if callable(answer) else answer


@contextmanager
def answering():
    """Serve on loopback for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            size = int(self.headers.get("Content-Length") or 0)
            answer = told.reply(self.path, self.rfile.read(size).decode())
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  the name is the library's

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told = Answering(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield told
        server.shutdown()
        thread.join()
