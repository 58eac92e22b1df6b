"""The short form of `make faults`: real processes are killed and cut off under load."""

import tempfile
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from bench.faults.books import Books
from bench.faults.grounds import usual
from bench.faults.load import Accepted
from bench.faults.play import play
from bench.faults.scenarios import SCENARIOS
from bench.faults.verdict import judge
from bench.faults.writes import draw

SEED = 1
QUICK = ("workers-killed", "redis-flushed", "connections-ended", "postgres-restarted")
RERUN_SECONDS = 15.0
WRITES = 100


@pytest.fixture
def rows():
    """What came of each scenario, one after the other on one stack of their own."""
    named = {scenario.name: scenario for scenario in SCENARIOS}
    with (
        tempfile.TemporaryDirectory(prefix="coin-tests-") as folder,
        usual(Path(folder), SEED) as grounds,
    ):
        return [play(named[name], grounds, seed=SEED, quick=True) for name in QUICK]


def test_faults_lose_nothing_double_nothing_and_are_recovered_from(rows):
    """One test: xdist would start a stack for each."""
    done = [row for row in rows if not row.skipped]

    assert [(row.fault, row.faults) for row in done if not row.clean] == []
    assert min(row.applied for row in done) >= WRITES
    assert min(row.balance_reads for row in done) >= 1
    assert max(row.recover_max for row in done) <= RERUN_SECONDS


# The tool itself


def test_a_seed_draws_the_same_writes_again():
    first, second = (list(islice(draw(Random(7), "x"), 300)) for _ in range(2))

    assert first == second
    assert {write.path for write in first} == {
        "/ledger",
        "/ledger/transfers",
        "/ledger/batches",
    }


class Cooked(Books):
    """Books in which everything is as told."""

    def __init__(self, jobs, transfers, balances):
        self._told = jobs, transfers, balances

    def jobs(self, _ids):
        return self._told[0]

    def transfers(self, _prefix):
        return dict(self._told[1])

    def balances(self, _prefix):
        return self._told[2]

    def unsound(self):
        return []


class Done:
    """A job's row."""

    final, result = True, None

    def __init__(self, state="succeeded"):
        self.state = state


@pytest.fixture
def credit():
    """An accepted CREDIT_ADD, which nobody may refuse."""
    write = next(
        write
        for write in draw(Random(1), "x")
        if write.path == "/ledger" and not write.entries[0].refusable
    )
    return Accepted(write, "job", 0.0, 0.0, 1)


def verdict(credit, *, jobs=None, transfers=1, balance=10):
    entry = credit.write.entries[0]
    books = Cooked(
        {"job": Done()} if jobs is None else jobs,
        {entry.nonce: transfers},
        {entry.body["owner_id"]: balance},
    )
    found = judge(books, [credit], "x")
    return found.lost, found.doubled, len(found.faults)


def test_what_is_as_it_should_be_is_clean(credit):
    assert verdict(credit) == (0, 0, 0)


@pytest.mark.parametrize(
    ("cooked", "wanted"),
    [
        pytest.param(
            {"jobs": {}, "transfers": 0, "balance": 0}, (1, 0, 0), id="no row"
        ),
        pytest.param({"transfers": 0, "balance": 0}, (1, 0, 1), id="no transfer"),
        pytest.param({"transfers": 2, "balance": 20}, (0, 1, 1), id="two transfers"),
        pytest.param({"balance": 9}, (0, 0, 1), id="another balance"),
        pytest.param({"jobs": {"job": Done("refused")}}, (0, 1, 2), id="refused"),
        pytest.param(
            {"jobs": {"job": Done("failed")}, "transfers": 0, "balance": 0},
            (0, 0, 2),
            id="failed",
        ),
    ],
)
def test_what_is_not_is_found(credit, cooked, wanted):
    assert verdict(credit, **cooked) == wanted
