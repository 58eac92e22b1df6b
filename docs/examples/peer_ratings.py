"""Real peer ratings as ledger writes, and a plain model to hold the ledger against.

    python docs/examples/peer_ratings.py prepare RATINGS.csv WRITES.ndjson
    coin import WRITES.ndjson --refused REFUSED.ndjson
    python docs/examples/peer_ratings.py check WRITES.ndjson REFUSED.ndjson

RATINGS.csv has no header: source member, target member, rating from -10 to 10, Unix
time. Every member begins with one SIGNUP_CREDIT and three CREDIT_ADD; then each
positive rating, in the order of time, gives that many credits to the one rated. The
check asks the running API for every balance and compares it, the refusals and the
trial balance with what a loop over a dictionary comes to.
"""

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

WORTH = {"SIGNUP_CREDIT": 3, "CREDIT_ADD": 10}
BEGINNING = ("SIGNUP_CREDIT", "CREDIT_ADD", "CREDIT_ADD", "CREDIT_ADD")
SECONDS = 30

Write = dict[str, Any]


def writes(ratings: Path) -> Iterator[Write]:
    """Yield every ledger write the ratings amount to, in order."""
    with ratings.open(newline="") as file:
        rows = [(*map(int, row[:3]), float(row[3])) for row in csv.reader(file)]
    members = dict.fromkeys(member for row in rows for member in row[:2])
    for member in members:
        for number, operation in enumerate(BEGINNING):
            yield {
                "owner_id": str(member),
                "operation": operation,
                "nonce": f"beginning-{member}-{number}",
            }
    # Sorting is stable: ties stay in the order of the file.
    numbered = sorted(enumerate(rows, start=1), key=lambda pair: pair[1][3])
    for line, (source, target, rating, _) in numbered:
        if rating > 0 and source != target:
            yield {
                "from": str(source),
                "to": str(target),
                "amount": rating,
                "nonce": f"rating-{line}",
            }


def model(given: Iterator[Write]) -> tuple[Counter[str], set[str], int]:
    """Return balances, refused nonces and the number applied, one after another."""
    balances: Counter[str] = Counter()
    refused: set[str] = set()
    applied = 0
    for write in given:
        if "operation" in write:
            balances[write["owner_id"]] += WORTH[write["operation"]]
        elif balances[write["from"]] < write["amount"]:
            refused.add(write["nonce"])
            continue
        else:
            balances[write["from"]] -= write["amount"]
            balances[write["to"]] += write["amount"]
        applied += 1
    return balances, refused, applied


class Ledger:
    """The running API, asked over one connection."""

    def __init__(self) -> None:
        url, key = os.environ.get("COIN_API"), os.environ.get("COIN_API_KEY")
        if not url or not key:
            known = json.loads(Path(".data/endpoints.json").read_text())
            url, key = url or known["api"], key or known["key"]
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
        self._headers = {"X-API-Key": key}

    def get(self, path: str) -> dict[str, Any]:
        """Return what is at the path."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = json.loads(answer.read())
        if answer.status != 200:  # noqa: PLR2004  success
            raise SystemExit(f"GET {path}: {body}")
        return body


def prepare(ratings: Path, out: Path) -> None:
    """Write the file that `coin import` reads."""
    lines = [json.dumps(write) + "\n" for write in writes(ratings)]
    out.write_text("".join(lines))
    print(f"{len(lines)} writes in {out}")


def check(written: Path, refusals: Path) -> None:
    """Compare the running ledger with the model, or end with what differs."""
    balances, refused, applied = model(map(json.loads, written.open()))
    ledger = Ledger()
    wrong = [
        f"{owner}: {found}, not {balance}"
        for owner, balance in balances.items()
        if (found := ledger.get(f"/ledger/{quote(owner)}")["balance"]) != balance
    ]
    said = {json.loads(line)["entry"]["nonce"] for line in refusals.open()}
    if said != refused:
        wrong.append(f"refusals: {len(said ^ refused)} differ")
    trial = ledger.get("/ledger/trial-balance")
    if (trial["sum"], trial["transfers"]) != (0, applied):
        wrong.append(f"trial balance: {trial}, not {applied} transfers of sum 0")
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(
        f"equal: {len(balances)} balances, {len(refused)} refusals, {applied} applied"
    )


if __name__ == "__main__":
    {"prepare": prepare, "check": check}[sys.argv[1]](*map(Path, sys.argv[2:4]))
