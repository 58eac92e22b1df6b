"""How these tests speak to the API: in process, as the holder of one key or none."""

import json
from contextlib import contextmanager
from itertools import count

import pytest
from falcon import testing

from api import permissions

_numbers = count(1)

JSON = "application/json"
NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"


class Caller:
    """The holder of one key, or of none."""

    def __init__(self, app, key=None):
        self._client = testing.TestClient(app)
        self.key = key

    def send(self, method, path, *, headers=None, **options):
        own = {} if self.key is None else {"X-API-Key": self.key}
        given = {"remote_addr": "127.0.0.1", **options}
        return self._client.simulate_request(
            method, path, headers={**own, **(headers or {})}, **given
        )

    def raw(self, method, path, *, headers=None, **environ):
        """Send what the test client would refuse to send."""
        own = {} if self.key is None else {"X-API-Key": self.key}
        made = testing.create_environ(path=path, headers={**own, **(headers or {})})
        started = testing.StartResponseMock()
        given = {name: value for name, value in environ.items() if value is not None}
        for name in environ.keys() - given.keys():
            made.pop(name, None)
        body = self._client.app({**made, "REQUEST_METHOD": method, **given}, started)
        return testing.Result(body, started.status, started.headers)

    def open(self, path):
        """Return an answer piece by piece, as it is made."""
        environ = testing.create_environ(path=path, headers={"X-API-Key": self.key})
        return iter(self._client.app(environ, testing.StartResponseMock()))

    def get(self, path, **options):
        return self.send("GET", path, **options)

    def delete(self, path, **options):
        return self.send("DELETE", path, **options)

    def post(self, path, body=None, *, headers=None, media=JSON, **options):
        """Send a body: bytes as they are, anything else as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": media, **(headers or {})}
        return self.send("POST", path, body=raw, headers=given, **options)

    def done(self, path, body, *, headers=None, **options):
        """Send a write and wait for what becomes of it; needs a worker."""
        patient = {"Prefer": "wait=20", **(headers or {})}
        return self.post(path, body, headers=patient, **options)

    def fund(self, owner, times=1):
        """Give an owner ten credits, so many times."""
        entries = [operation(owner, "CREDIT_ADD") for _ in range(times)]
        return self.done("/ledger/batches", {"entries": entries})

    def balance(self, owner):
        return self.get(f"/ledger/{owner}").json["balance"]


@contextmanager
def opened(path):
    """Let anybody ask for a path that is none of the product's."""
    rules = {**permissions.RULES, ("GET", path): permissions.Rule(open=True)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(permissions, "RULES", rules)
        yield


def make_nonce():
    return f"nonce-{next(_numbers)}"


def operation(owner, name="CREDIT_ADD", **fields):
    """Return the body of POST /ledger."""
    return {"owner_id": owner, "operation": name, "nonce": make_nonce(), **fields}


def transfer(source, target, amount=1, **fields):
    """Return the body of POST /ledger/transfers."""
    nonce = make_nonce()
    return {"from": source, "to": target, "amount": amount, "nonce": nonce, **fields}


def pointers(answer):
    """Return where a 422 says its faults are."""
    return [error["pointer"] for error in answer.json["errors"]]
