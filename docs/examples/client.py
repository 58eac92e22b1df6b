"""A client of the ledger to copy: the standard library alone, and never twice.

    COIN_API=http://127.0.0.1:8000 COIN_API_KEY=pc_… python client.py alice a-nonce

gives alice ten credits and prints her balance. Run again with the same nonce it prints
the same: whoever does not know whether a write arrived sends it again as it was.
"""

import json
import os
import random
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

JSON = dict[str, Any]

WAIT_SECONDS = 20
ANSWER_SECONDS = WAIT_SECONDS + 10
PATIENCE_SECONDS = 120.0
BACKOFF_SECONDS, BACKOFF_SECONDS_MAX = 0.2, 20.0
# Too much is asked for, or somebody on the way is away.
LATER = {429, 502, 503, 504}
# Of a job that was never begun, and will not be: its nonce is used up.
EXPIRED = "job_expired"
UNFINISHED = {"queued", "running"}


class Refused(Exception):
    """The answer is no; `problem` says why (RFC 9457)."""

    def __init__(self, problem: JSON) -> None:
        self.problem = problem
        super().__init__(f"{problem.get('code')}: {problem.get('detail')}")


class Unanswered(Exception):
    """Nothing certain came back in time; send the same again later."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: HTTPMessage
    body: JSON

    @property
    def retry_after(self) -> float:
        """Return the seconds we are asked to wait."""
        text = self.headers.get("Retry-After", "0")
        return float(text) if text.isdigit() else 0.0


class Coin:
    """One connection, kept alive, for one thread."""

    def __init__(
        self, api: str, key: str, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        parts = urlsplit(api)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.netloc, timeout=ANSWER_SECONDS)
        self._prefix = parts.path.rstrip("/")
        self._headers = {
            "X-API-Key": key,
            "Content-Type": "application/json",
            "Prefer": f"wait={WAIT_SECONDS}",
        }
        self._patience_seconds = patience_seconds

    def write(self, path: str, body: JSON) -> JSON:
        """Return what became of a write; its `nonce` makes it safe to send again."""
        if "nonce" not in body:
            raise ValueError("without a nonce it could happen twice")
        deadline = time.monotonic() + self._patience_seconds
        answer = self._ask("POST", path, deadline, body)
        if answer.status == HTTPStatus.CREATED:
            return answer.body
        # 202: accepted, and not finished while we waited.
        while (job := answer.body)["state"] in UNFINISHED:
            if time.monotonic() > deadline:
                raise Unanswered(f"{job['links']['self']} is {job['state']}")
            time.sleep(answer.retry_after)
            wait = f"{job['links']['self']}?wait={WAIT_SECONDS}"
            answer = self._ask("GET", wait, deadline)
        if job["state"] != "succeeded":
            raise Refused(job["problem"])
        result: JSON = job["result"]
        return result

    def balance(self, owner: str, *, min_version: int = 0) -> JSON:
        """Return an owner's balance, not older than a version you know of."""
        path = f"/ledger/{quote(owner)}?min_version={min_version}"
        return self._ask("GET", path, time.monotonic() + self._patience_seconds).body

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def _ask(
        self, method: str, path: str, deadline: float, body: JSON | None = None
    ) -> Answer:
        """Send the same until there is an answer, ever more rarely."""
        tries = 0
        while True:
            try:
                answer = self._ask_once(method, path, body)
            except (OSError, HTTPException) as error:
                # Whether it arrived is not known.
                self._connection.close()
                reason, least = repr(error), 0.0
            else:
                if answer.status < HTTPStatus.BAD_REQUEST:
                    return answer
                if answer.status not in LATER or answer.body.get("code") == EXPIRED:
                    raise Refused(answer.body)
                reason, least = f"status {answer.status}", answer.retry_after
            tries += 1
            seconds = least + _jitter(tries)
            if time.monotonic() + seconds > deadline:
                raise Unanswered(reason)
            time.sleep(seconds)

    def _ask_once(self, method: str, path: str, body: JSON | None) -> Answer:
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, self._prefix + path, sent, self._headers)
        response = self._connection.getresponse()
        text = response.read()
        try:
            said = json.loads(text)
        except ValueError:  # a proxy's page
            said = {"detail": text.decode(errors="replace")[:200]}
        return Answer(response.status, response.headers, said)


def _jitter(tries: int) -> float:
    """Return any time up to a ceiling that doubles: clients must not come in waves."""
    ceiling = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2**tries)
    return random.uniform(0, ceiling)  # noqa: S311  it hides nothing


def main(owner: str, nonce: str) -> None:
    """Give an owner ten credits, once."""
    coin = Coin(os.environ["COIN_API"], os.environ["COIN_API_KEY"])
    body = {"owner_id": owner, "operation": "CREDIT_ADD", "nonce": nonce}
    made = coin.write("/ledger", body)
    version = made["transfer"]["credit"]["version"]
    print(coin.balance(owner, min_version=version)["balance"])
    coin.close()


if __name__ == "__main__":
    main(*sys.argv[1:3])
