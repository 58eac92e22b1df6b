"""What became of everything that was accepted, against what should have."""

import http.client
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from bench.faults.books import Books
from bench.faults.load import Accepted
from bench.faults.writes import Entry

_LOOKED_UP = 200
_ANSWER_SECONDS = 15.0
_SHOWN = 5


@dataclass
class Verdict:
    """Nothing lost, nothing doubled, and no other fault found: then it is clean."""

    lost: int = 0
    doubled: int = 0
    applied: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)


def judge(books: Books, accepted: list[Accepted], prefix: str) -> Verdict:
    """Compare jobs, transfers and balances with what the clients were told."""
    verdict = Verdict()
    jobs = books.jobs([one.job for one in accepted])
    transfers = books.transfers(prefix)
    expected: Counter[str] = Counter()
    for one in accepted:
        row = jobs.get(one.job)
        if row is None or not row.final:
            verdict.lost += 1
            continue
        if row.state not in ("succeeded", "refused"):
            verdict.faults.append(f"job {one.job} {row.state}")
        for entry, state in _states(one, row):
            _count(verdict, entry, state, transfers.pop(entry.nonce, 0), expected)
    verdict.doubled += sum(transfers.values())  # what nobody was told of
    balances = books.balances(prefix)
    _compare(verdict, expected, balances)
    verdict.faults += books.unsound()
    del verdict.faults[_SHOWN:]
    return verdict


def _states(one: Accepted, row: Any) -> Iterator[tuple[Entry, str]]:
    """Yield each entry and what its job says became of it."""
    if one.write.key is None:
        state = "applied" if row.state == "succeeded" else "refused"
        yield one.write.entries[0], state
        return
    outcomes = row.result["outcomes"] if row.state == "succeeded" else ()
    states = {outcome["index"]: outcome["state"] for outcome in outcomes}
    for index, entry in enumerate(one.write.entries):
        yield entry, states.get(index, "refused")


def _count(
    verdict: Verdict, entry: Entry, state: str, found: int, expected: Counter[str]
) -> None:
    if state == "refused":
        verdict.refused += 1
        verdict.doubled += found
        if not entry.refusable:
            verdict.faults.append(f"{entry.nonce} was refused")
        return
    verdict.applied += 1
    verdict.lost += found == 0
    verdict.doubled += max(0, found - 1)
    if state != "applied":
        verdict.faults.append(f"{entry.nonce} was {state}")
    for owner, amount in entry.moves:
        expected[owner] += amount


def _compare(
    verdict: Verdict, expected: Counter[str], balances: dict[str, int]
) -> None:
    for owner in expected.keys() | balances.keys():
        if expected[owner] != balances.get(owner, 0):
            verdict.faults.append(
                f"{owner} has {balances.get(owner)} instead of {expected[owner]}"
            )


def looked_up(api: str, key: str, jobs: list[str]) -> Iterator[str]:
    """Yield every job, of some spread over all, that its id does not lead to."""
    connection = http.client.HTTPConnection(
        urlsplit(api).netloc, timeout=_ANSWER_SECONDS
    )
    try:
        for job in jobs[:: max(1, len(jobs) // _LOOKED_UP)]:
            connection.request("GET", f"/jobs/{job}", headers={"X-API-Key": key})
            answer = connection.getresponse()
            said = json.loads(answer.read())
            if answer.status != HTTPStatus.OK or "finished_at" not in said:
                yield f"GET /jobs/{job}: {answer.status}"
    finally:
        connection.close()
