"""The ledger's HTTP API as `coin import` uses it: patient, and never twice."""

import http.client
import random
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import click
import orjson

_ANSWER_SECONDS: Final = 30
_JOB_WAIT_SECONDS: Final = 20
_JOB_SECONDS_MAX: Final = 900
_TRIES_MAX: Final = 12
_BACKOFF_SECONDS: Final = 0.2
_BACKOFF_CAP_SECONDS: Final = 20.0
_LATER: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_BROKEN: Final = (OSError, http.client.HTTPException)


class ApiRefused(click.ClickException):
    """The API will not take this, however often it is asked."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.problem = problem
        detail = problem.get("detail") or problem.get("title") or "no reason given"
        super().__init__(f"the API answered {status}: {detail}")


class ApiAway(click.ClickException):
    """The API did not answer in any of many tries."""


@dataclass(frozen=True)
class Answer:
    """What came back; `resent` when an earlier try may have arrived as well."""

    status: int
    headers: http.client.HTTPMessage
    body: dict[str, Any]
    resent: bool


class LedgerClient:
    """One kept-alive connection that sends in order."""

    def __init__(self, api: str, key: str) -> None:
        parts = urlsplit(api)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise click.BadParameter(f"{api!r} is no URL of an API")
        connect = (
            http.client.HTTPSConnection
            if parts.scheme == "https"
            else http.client.HTTPConnection
        )
        self._api = api
        self._prefix = parts.path.rstrip("/")
        self._connection = connect(parts.hostname, parts.port, timeout=_ANSWER_SECONDS)
        self._headers = {"X-API-Key": key, "Accept": "application/json"}

    def submit(self, body: bytes, *, idempotency_key: str) -> Answer:
        """Hand a batch over; the answer is its job."""
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": f'"{idempotency_key}"',
        }
        return self._ask("POST", "/ledger/batches", body, headers)

    def finished(self, job_id: str) -> dict[str, Any]:
        """Wait until a job has ended, and return it."""
        deadline = time.monotonic() + _JOB_SECONDS_MAX
        path = f"/jobs/{job_id}?wait={_JOB_WAIT_SECONDS}"
        while True:
            job = self._ask("GET", path).body
            if job["state"] not in ("queued", "running"):
                return job
            if time.monotonic() > deadline:
                raise ApiAway(
                    f"job {job_id} is still {job['state']}; see `coin doctor`, then "
                    "run the same command again: what is applied stays applied once"
                )

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        resent = False
        for tried in range(1, _TRIES_MAX + 1):
            try:
                answer = self._ask_once(method, path, body, headers or {}, resent)
            except _BROKEN as error:
                self._connection.close()
                resent, reason, least = True, repr(error), 0.0
            else:
                if answer.status < HTTPStatus.BAD_REQUEST:
                    return answer
                if answer.status not in _LATER:
                    raise ApiRefused(answer.status, answer.body)
                reason, least = f"status {answer.status}", _retry_after(answer)
            if tried < _TRIES_MAX:
                time.sleep(_pause(tried, least))
        raise ApiAway(
            f"{self._api} did not take the request in {_TRIES_MAX} tries ({reason}); "
            "run the same command again: what is applied stays applied once"
        )

    def _ask_once(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        resent: bool,  # noqa: FBT001
    ) -> Answer:
        self._connection.request(
            method, self._prefix + path, body, {**self._headers, **headers}
        )
        response = self._connection.getresponse()
        content = response.read()
        return Answer(
            response.status, response.headers, _object(response.status, content), resent
        )


def _object(status: int, content: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict):
        return found
    strange = {"detail": "this is no ledger; is the address right?"}
    if status < HTTPStatus.BAD_REQUEST:
        raise ApiRefused(status, strange)
    return strange


def _retry_after(answer: Answer) -> float:
    """Return how long the API wants to be left alone."""
    try:
        seconds = float(answer.headers.get("Retry-After", "0"))
    except ValueError:  # a date: rare, and the pause grows anyway
        return 0.0
    return min(max(seconds, 0.0), _BACKOFF_CAP_SECONDS)


def _pause(tried: int, least: float) -> float:
    ceiling = min(_BACKOFF_CAP_SECONDS, _BACKOFF_SECONDS * 2**tried)
    return least + random.uniform(0, ceiling)  # noqa: S311  it hides nothing
