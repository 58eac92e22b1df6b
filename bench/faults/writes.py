"""The writes of a load: drawn from a seed, each with what it does to whom."""

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

SAVERS, SPENDERS = 20, 10
_OPERATIONS = {"CREDIT_ADD": 10, "CREDIT_SPEND": -1}
_BATCH_ENTRIES = (10, 30)
_AMOUNT_MAX = 15
# Shares of batches, of transfers, and what is done to whom.
_BATCHES, _TRANSFERS, _SAVED, _EARNED = 0.08, 0.15, 0.5, 0.7


class Entry(NamedTuple):
    """One nonce and what it moves once it is applied; only some may be refused."""

    nonce: str
    body: dict[str, Any]
    moves: tuple[tuple[str, int], ...]
    refusable: bool


class Write(NamedTuple):
    """One request: an operation, a transfer or a batch."""

    path: str
    entries: tuple[Entry, ...]
    key: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        """Return the request's body."""
        if self.key is None:
            return self.entries[0].body
        return {"entries": [entry.body for entry in self.entries]}


def draw(chance: Random, prefix: str) -> Iterator[Write]:
    """Yield writes without end; every nonce and every owner begins with the prefix."""
    number = 0
    while True:
        number += 1
        nonce = f"{prefix}-{number}"
        if chance.random() < _BATCHES:
            entries = [
                _entry(chance, prefix, f"{nonce}-{index}")
                for index in range(chance.randint(*_BATCH_ENTRIES))
            ]
            yield Write("/ledger/batches", tuple(entries), key=nonce)
        else:
            entry = _entry(chance, prefix, nonce)
            path = "/ledger/transfers" if "from" in entry.body else "/ledger"
            yield Write(path, (entry,))


def _entry(chance: Random, prefix: str, nonce: str) -> Entry:
    make = _transfer if chance.random() < _TRANSFERS else _operation
    return make(chance, prefix, nonce)


def _operation(chance: Random, prefix: str, nonce: str) -> Entry:
    lot = chance.random()
    if lot < _SAVED:
        owner, operation = f"{prefix}-saver-{chance.randrange(SAVERS)}", "CREDIT_ADD"
    else:
        owner = f"{prefix}-spender-{chance.randrange(SPENDERS)}"
        operation = "CREDIT_ADD" if lot < _EARNED else "CREDIT_SPEND"
    body = {"owner_id": owner, "operation": operation, "nonce": nonce}
    amount = _OPERATIONS[operation]
    return Entry(nonce, body, ((owner, amount),), refusable=amount < 0)


def _transfer(chance: Random, prefix: str, nonce: str) -> Entry:
    numbers = chance.sample(range(SPENDERS), 2)
    source, target = (f"{prefix}-spender-{number}" for number in numbers)
    amount = chance.randint(1, _AMOUNT_MAX)
    body = {"from": source, "to": target, "amount": amount, "nonce": nonce}
    return Entry(nonce, body, ((source, -amount), (target, amount)), refusable=True)
