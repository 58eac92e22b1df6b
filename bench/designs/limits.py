"""What limits and headers cost a request, in µs of a process that does nothing else.

    python -m bench.designs.limits [redis://…]

With a Redis, also what a hit costs by how many are told of together.
"""

import sys
import time
from typing import Self
from uuid import UUID

import falcon
from falcon.testing import create_environ

from api.addresses import Addresses
from api.blocklist import Blocklist
from api.cors import Cors
from api.limits import Limits
from api.meters import Meter
from api.security import SecurityHeaders
from api.shared import Shared
from domain.principals import Principal
from domain.settings import Settings

_REQUESTS = 20_000
_ROUNDS = 5
_ADDRESSES = Addresses()


class _NoRows:
    """Sessions of a database without blocks."""

    def __call__(self) -> "_NoRows":
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def execute(self, _statement: object) -> "_NoRows":
        return self

    def all(self) -> list[object]:
        return []


class _Known:
    """Says at once who calls: what that costs is not the question here."""

    def __init__(self) -> None:
        self._principal = Principal(UUID(int=1), "commons", frozenset())

    def process_resource(
        self, req: falcon.Request, _resp: object, _resource: object, _params: object
    ) -> None:
        if "HTTP_X_API_KEY" in req.env:
            req.context.principal = self._principal


class _Nothing:
    def on_post(self, _req: falcon.Request, resp: falcon.Response) -> None:
        resp.data = b"{}"


def _limits(**settings: str) -> Limits:
    chosen = Settings(database_url="postgresql://nobody", **settings)
    return Limits(chosen, _ADDRESSES, Blocklist(_NoRows()), Shared(""))


def _microseconds(*middleware: object, key: bool = True) -> float:
    app = falcon.App(middleware=list(middleware))
    app.add_route("/ledger", _Nothing())
    headers = {"X-API-Key": "pc_" + 58 * "x"} if key else {}
    environ = create_environ("/ledger", method="POST", headers=headers)
    fastest = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for _ in range(_REQUESTS):
            app(environ.copy(), lambda *_: None)
        fastest = min(fastest, time.process_time() - began)
    return fastest / _REQUESTS * 1e6


def _told(redis_url: str, every: int) -> float:
    """Return what a hit costs that is told to Redis with so many others."""
    meter = Meter("bench", "600000000/minute", Shared(redis_url), every=every)
    hits = _REQUESTS // 10
    began = time.process_time()
    for _ in range(hits):
        meter.take("someone", now=time.time())
    return (time.process_time() - began) / hits * 1e6


def main() -> None:
    """Print a line for each layer."""
    security, known = SecurityHeaders(_ADDRESSES), _Known()
    key = _limits(rate_limit_key="600000000/minute")
    address = _limits(rate_limit_address="600000000/minute")
    lines = {
        "nothing": _microseconds(known),
        "limits of a key": _microseconds(known, key),
        "limits of an address": _microseconds(known, address, key=False),
        "security headers": _microseconds(known, security),
        "CORS": _microseconds(known, Cors("https://app.example")),
        "limits and headers": _microseconds(known, security, key),
    }
    for name, cost in lines.items():
        print(f"{name:24}{cost:8.2f} µs  {cost - lines['nothing']:+8.2f}")
    for every in (0, 12, 100) if len(sys.argv) > 1 else ():
        print(f"a hit, {every + 1:3} told as one {_told(sys.argv[1], every):8.2f} µs")


if __name__ == "__main__":
    main()
