"""Careful clients: what gets no answer is sent again, with the same nonce."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.faults.waiting import until
from bench.faults.writes import Write

_ANSWER_SECONDS = 15.0
_AGAIN_SECONDS = 0.1
_GIVE_UP_SECONDS = 90.0


class Accepted(NamedTuple):
    """A write that was answered 202; `sent` and `seconds` are of the last try."""

    write: Write
    job: str
    sent: float
    seconds: float
    tries: int


class Load:
    """Some connections that send writes at a steady rate until told to stop."""

    def __init__(
        self,
        api: str,
        key: str,
        writes: Iterator[Write],
        *,
        rate: int,
        connections: int,
    ) -> None:
        self.addresses = [urlsplit(api).netloc]
        self.accepted: list[Accepted] = []
        self.problems: list[str] = []
        self.unanswered = 0
        self._key = key
        self._writes = writes
        self._pace = connections / rate
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(connections)
        ]

    def use(self, addresses: list[str]) -> None:
        """Send to these from the next request on, connections in turn."""
        self.addresses = addresses

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing new, and wait until everything begun was answered."""
        self._stop.set()
        deadline = time.monotonic() + _GIVE_UP_SECONDS + _ANSWER_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def wait_accepted(self, count: int, *, since: float, seconds: float) -> list[str]:
        """Return the jobs of the next writes that were sent after a moment."""
        first = len(self.accepted)

        def found() -> list[str]:
            fresh = self.accepted[first:]
            return [one.job for one in fresh if one.sent >= since]

        until(lambda: len(found()) >= count, seconds, f"{count} writes accepted")
        return found()[:count]

    def _run(self, number: int) -> None:
        lines: dict[str, http.client.HTTPConnection] = {}
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pace, time.monotonic() - self._pace)
            with self._turn:
                write = next(self._writes)
            self._deliver(write, lines, number)
        for connection in lines.values():
            connection.close()

    def _deliver(
        self, write: Write, lines: dict[str, http.client.HTTPConnection], number: int
    ) -> None:
        """Send until there is an answer that is one."""
        give_up = time.monotonic() + _GIVE_UP_SECONDS
        tries = 0
        while time.monotonic() < give_up:
            tries += 1
            address = self.addresses[number % len(self.addresses)]
            connection = lines.setdefault(
                address, http.client.HTTPConnection(address, timeout=_ANSWER_SECONDS)
            )
            sent = time.monotonic()
            status, said = self._post(connection, write)
            if status == HTTPStatus.ACCEPTED:
                seconds = time.monotonic() - sent
                self.accepted.append(Accepted(write, said["id"], sent, seconds, tries))
                return
            if status not in (None, HTTPStatus.SERVICE_UNAVAILABLE):
                self.problems.append(f"{write.path}: {status} {said}")
                return
            self.unanswered += 1
            time.sleep(_AGAIN_SECONDS)
        self.problems.append(f"{write.path}: no answer in {_GIVE_UP_SECONDS:g} s")

    def _post(
        self, connection: http.client.HTTPConnection, write: Write
    ) -> tuple[int | None, dict[str, str]]:
        """Send it; nothing is returned when nothing that can be read was answered."""
        headers = {"X-API-Key": self._key, "Content-Type": "application/json"}
        if write.key:
            headers["Idempotency-Key"] = write.key
        try:
            connection.request("POST", write.path, json.dumps(write.body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()  # the next request opens it again
            return None, {}
