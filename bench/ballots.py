"""Ballots through HTTP beside single ledger writes, in turns on the same stack.

python -m bench.ballots [SECONDS] [ROUNDS]
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bench import cases
from bench.cases import Figures
from bench.stack import ROOT, Stack, running
from domain import logins, users
from domain.db import create_engine, session_factory
from domain.governance import proposals, types
from domain.governance.parameters import Parameters
from domain.governance.texts import Text
from domain.ids import uuid7
from domain.settings import OFF, Settings

RATIO: Final = 0.8
_SECONDS, _ROUNDS = 6.0, 3
# Few: each token is looked up anew every few seconds, by all requests that wait for it,
# and that is not what is measured here.
_VOTERS: Final = 4
_CONNECTIONS: Final = 256
_RESULT: Final = ROOT / "bench" / "results" / "ballots.md"
_LEDGER: Final = "ledger"
# Every voter here votes a hundred times a second.
UNLIMITED: Final = {"RATE_LIMIT_PERSON": OFF, "RATE_LIMIT_ADDRESS": OFF}

Measured = dict[str, list[Figures]]


def measure(stack: Stack, seconds: float, rounds: int) -> Measured:
    """Return the figures of every round of the ledger, of open and secret votes."""
    tokens = _voters(stack)
    kinds: dict[str, dict[str, Any]] = {
        _LEDGER: {},
        "open ballots": {"ballots": _vote(stack), "tokens": tokens},
        "secret ballots": {"ballots": _vote(stack, secret=True), "tokens": tokens},
    }
    seen: Measured = {name: [] for name in kinds}
    for options in kinds.values():  # warms up
        cases.applied(stack, seconds / 2, connections=_CONNECTIONS, **options)
    for number in range(rounds):
        for name, options in kinds.items():
            figures = cases.applied(stack, seconds, connections=_CONNECTIONS, **options)
            seen[name].append(figures)
            told = f"{figures['per_second']:,.0f} a second"
            print(f"round {number + 1}  {name:<15} {told}", flush=True)
    return seen


def _voters(stack: Stack) -> list[str]:
    """Return the access tokens of so many people."""
    now = datetime.now(UTC)
    sessions = session_factory(create_engine(Settings(database_url=stack.database)))
    with sessions.begin() as session:
        people = [
            users.create(session, username=f"voter.{number}", now=now)
            for number in range(_VOTERS)
        ]
        begun = [logins.start(session, one.id, device=None, now=now) for one in people]
    return [_exchanged(stack, one.token) for one in begun]


def _exchanged(stack: Stack, refresh_token: str) -> str:
    connection = HTTPConnection(urlsplit(stack.api).netloc, timeout=10)
    headers = {"Content-Type": "application/json"}
    body = json.dumps({"refresh_token": refresh_token})
    connection.request("POST", "/auth/refresh", body, headers)
    token: str = json.load(connection.getresponse())["access_token"]
    connection.close()
    return token


def _vote(stack: Stack, *, secret: bool = False) -> str:
    """Open a vote of everybody, and return where its ballots are cast.

    A secret one takes a ballot of each voter, and refuses the rest of them, once each
    has been unsealed and looked at.
    """
    now = datetime.now(UTC)
    quick = {"discussion_hours": 0, "freeze_hours": 0, "voting_days": 30}
    rules = Parameters(
        about="For a measurement.",
        method="yes-no",
        secret=secret,
        replaceable=not secret,
        **quick,
    )
    text = Text(title="Water", description="Water for the garden.", details={})
    sessions = session_factory(create_engine(Settings(database_url=stack.database)))
    with sessions.begin() as session:
        name = f"measured_{uuid7().hex}"
        types.change(session, name, rules, changed_by=uuid7(), now=now)
        author = users.create(session, username=f"author.{uuid7().hex[-12:]}", now=now)
        made = proposals.create(
            session, author=author.id, type_name=name, text=text, now=now
        ).row.id
        proposals.open_(session, made, actor=author.id, now=now)
    return f"/api/governance/proposals/{made}/ballots"


def _lines(seen: Mapping[str, list[Figures]]) -> Iterator[str]:
    yield "| | a second, applied | against the ledger | accepted, p99 |"
    yield "| --- | ---: | ---: | ---: |"
    ledger = _median(seen[_LEDGER], "per_second")
    for name, figures in seen.items():
        rate = _median(figures, "per_second")
        late = _median(figures, "accept_p99_ms")
        yield f"| {name} | {rate:,.0f} | {rate / ledger:.2f} x | {late:.0f} ms |"


def _median(figures: list[Figures], name: str) -> float:
    return statistics.median(one[name] for one in figures)


_PAGE: Final = """\
# Ballots through HTTP

Made by `python -m bench.ballots {seconds:g} {rounds}`: single ledger writes, open and
secret ballots in turns on one stack, {connections} connections, {voters} voters,
medians. Wanted: open ballots at {ratio} x the ledger at least. Of a secret vote only
the first ballot of each voter is cast; all are sealed, stored, unsealed and decided.
Cores: {cores}; load average afterwards: {load:.1f}.

{table}
"""


def main() -> None:
    """Measure, print the table and write it down."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else _SECONDS
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else _ROUNDS  # noqa: PLR2004
    with (
        tempfile.TemporaryDirectory(prefix="coin-bench-") as folder,
        running(Path(folder) / "data", UNLIMITED) as stack,
    ):
        seen = measure(stack, seconds, rounds)
    table = "\n".join(_lines(seen))
    print(table)
    page = _PAGE.format(
        seconds=seconds,
        rounds=rounds,
        connections=_CONNECTIONS,
        voters=_VOTERS,
        ratio=RATIO,
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
        table=table,
    )
    _RESULT.write_text(page)


if __name__ == "__main__":
    main()
