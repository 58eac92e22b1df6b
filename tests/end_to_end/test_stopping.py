"""The API stopped under load: what was asked is answered, what was accepted is applied.

`coin up` starts it again, so that those who were turned away can ask once more.
"""

import json
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from bench.faults.lent import lent
from tests.cli.conftest import new_folder
from tests.end_to_end.wire import Wire, request
from tests.factories import make_owner
from tests.waiting import eventually

pytestmark = pytest.mark.long

WRITERS = 24
BEFORE_STOPPING = 600
AFTER_STARTING = 600
BACK_SECONDS = 60
IDLE_SECONDS = 60
AGAIN_SECONDS = 0.05
JSON = "Content-Type: application/json"


class Writer(threading.Thread):
    """A client that keeps a connection, and asks again when it is hung up on."""

    def __init__(self, stack, stop):
        super().__init__()
        self._api, self._key = stack.endpoints["api"], stack.endpoints["key"]
        self._ending = stop
        self._wire = None
        self.owner = make_owner("writer")
        self.accepted = []
        self.odd = []
        self.broken = []
        self.unanswered = 0

    def run(self):
        number = 0
        try:
            while not self._ending.is_set():
                number += 1
                self._write_until_accepted(f"{self.owner}-{number}")
        finally:
            self._hang_up()

    def _hang_up(self):
        if self._wire is not None:
            self._wire.__exit__()
            self._wire = None

    def _write_until_accepted(self, nonce):
        deadline = time.monotonic() + BACK_SECONDS
        while time.monotonic() < deadline:
            if self._write(nonce):
                return
            self._hang_up()
            # Not sooner than a client would: whoever answers is starting.
            self._ending.wait(AGAIN_SECONDS)
        self.broken.append(f"{nonce} was never accepted")

    def _write(self, nonce):
        """Send one write; say whether it was accepted."""
        try:
            self._wire = self._wire or Wire(self._api)
        except OSError:
            return False
        fields = {"owner_id": self.owner, "operation": "CREDIT_ADD", "nonce": nonce}
        key, body = f"X-API-Key: {self._key}", json.dumps(fields).encode()
        try:
            self._wire.send(request("POST", "/ledger", key, JSON, body=body))
            begun = self._wire.socket.recv(1, socket.MSG_PEEK)
        except OSError:
            begun = b""
        if not begun:
            self.unanswered += 1
        return bool(begun) and self._read(nonce)

    def _read(self, nonce):
        try:
            status, headers, said = self._wire.answer("POST")
            job = json.loads(said)["id"] if status == 202 else None
        except (OSError, AssertionError, ValueError, TypeError) as error:
            self.broken.append(repr(error))
            return False
        if headers["Connection"] == "close":
            self._hang_up()
        if job is None:
            self.odd.append(status)
            return False
        self.accepted.append((nonce, job))
        return True


class Stopped:
    """What was seen of an API that was stopped under load, and started again."""

    def __init__(self, stack):
        stop = threading.Event()
        self.writers = [Writer(stack, stop) for _ in range(WRITERS)]
        web = stack.endpoints["pids"]["web"]
        for writer in self.writers:
            writer.start()
        try:
            eventually(lambda: self.count() > BEFORE_STOPPING, within=BACK_SECONDS)
            stack.process_of("web").send_signal(signal.SIGTERM)
            eventually(
                lambda: stack.endpoints["pids"].get("web", web) != web,
                within=BACK_SECONDS,
            )
            back = self.count() + AFTER_STARTING
            eventually(lambda: self.count() > back, within=BACK_SECONDS)
        finally:
            stop.set()
            for writer in self.writers:
                writer.join()
        with stack.client() as client:
            stack.wait_until_idle(client, within=IDLE_SECONDS)
            self.balances = [client.balance(one.owner) for one in self.writers]
        self.said = stack.said

    def count(self):
        return sum(len(writer.accepted) for writer in self.writers)


@pytest.fixture(scope="module")
def stopped(start, given):
    with new_folder() as name, lent(given) as servers:
        stack = start(Path(name) / "data", "--no-flower", **servers)
        try:
            yield Stopped(stack)
        finally:
            stack.stop()


def test_no_answer_is_cut_short(stopped):
    assert [broken for one in stopped.writers for broken in one.broken] == []


def test_everyone_who_was_answered_was_answered_well(stopped):
    """Nothing but 202: also the last ones before the end, and the first ones after."""
    assert [status for one in stopped.writers for status in one.odd] == []


def test_what_was_accepted_is_applied_once(stopped):
    expected = [10 * len(one.accepted) for one in stopped.writers]

    assert stopped.balances == expected


def test_no_request_is_thrown_away_but_what_crosses_the_end(stopped):
    """A connection at rest is closed; a request that is on its way just then gets no
    answer and is sent again (RFC 9112 §9.3.1). It happens to a client once at most.
    """
    assert max(one.unanswered for one in stopped.writers) <= 1


def test_it_ended_by_itself(stopped):
    """gunicorn, killed for being late, would not say that it shuts down."""
    assert "Shutting down: Master" in stopped.said
