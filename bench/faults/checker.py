"""Reads the trial balance all the time: its sum must be zero in every read."""

import http.client
import json
import threading
from http import HTTPStatus
from urllib.parse import urlsplit

_EVERY_SECONDS = 0.1
_ANSWER_SECONDS = 10.0


class Checker:
    """A thread that asks until told to stop."""

    def __init__(self, api: str, key: str) -> None:
        self.reads = 0
        self.unanswered = 0
        self.unbalanced: list[object] = []
        self._address = urlsplit(api).netloc
        self._key = key
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()
        self._thread.join(2 * _ANSWER_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            try:
                found = self._read()
            except (OSError, http.client.HTTPException):
                found = None
            if found is None:
                self.unanswered += 1
                continue
            self.reads += 1
            if found["sum"] != 0:
                self.unbalanced.append(found)

    def _read(self) -> dict[str, int] | None:
        connection = http.client.HTTPConnection(self._address, timeout=_ANSWER_SECONDS)
        try:
            connection.request(
                "GET", "/ledger/trial-balance", headers={"X-API-Key": self._key}
            )
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            return None
        if answer.status != HTTPStatus.OK:
            return {"sum": -answer.status}  # any other answer is a fault as well
        found: dict[str, int] = json.loads(said)
        return found
