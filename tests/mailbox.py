"""A mail server of a few lines (RFC 5321), that keeps what it is sent."""

import email
import email.policy
import socketserver
import threading
from contextlib import contextmanager


class Mailbox:
    """Every message, in the order it came; `refuse` is what to say to the next.

    While it may not answer, those that send one wait.
    """

    def __init__(self, port):
        self.url = f"smtp://127.0.0.1:{port}"
        self.messages = []
        self.refuse = None
        self.refused = 0
        self.logins = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.under_way = 0
        self._counting = threading.Lock()

    def wait(self):
        """Let a message wait until it may be answered."""
        self._count(+1)
        self.may_answer.wait()
        self._count(-1)

    def _count(self, by):
        with self._counting:
            self.under_way += by

    def sent_to(self, address):
        """Return what came for an address, in whatever case."""
        return [m for m in self.messages if m["To"].lower() == address.lower()]


@contextmanager
def mailbox():
    """Receive mail on loopback for as long as the block lasts."""

    class Session(socketserver.StreamRequestHandler):
        def handle(self):
            self.say("220 here")
            while line := self.rfile.readline():
                word = line.split()[0].upper() if line.split() else b""
                getattr(self, f"on_{word.decode().lower()}", self.on_other)(line)

        def say(self, text):
            self.wfile.write(text.encode() + b"\r\n")

        def on_other(self, _line):
            box.refused += box.refuse is not None
            self.say(box.refuse or "250 good")

        def on_ehlo(self, _line):
            self.say("250-here")
            self.say("250 AUTH PLAIN")

        def on_auth(self, line):
            box.logins.append(line)
            self.say("235 welcome")

        def on_data(self, _line):
            self.say("354 go on")
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line[line.startswith(b".") :])
            text = b"".join(lines)
            policy = email.policy.default
            box.wait()
            box.messages.append(email.message_from_bytes(text, policy=policy))
            self.say("250 kept")

        def on_quit(self, _line):
            self.say("221 bye")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.daemon_threads = True
        box = Mailbox(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield box
        server.shutdown()
        thread.join()
