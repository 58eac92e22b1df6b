"""The short form of `make faults`: real processes are killed and cut off under load."""

import tempfile
from itertools import islice
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from bench.faults.books import Books
from bench.faults.grounds import Grounds, NoGrounds, small_disk, usual
from bench.faults.load import Accepted
from bench.faults.play import Row, play, shortcomings
from bench.faults.scenarios import SCENARIOS
from bench.faults.verdict import judge
from bench.faults.writes import draw

pytestmark = pytest.mark.long

SEED = 1
QUICK = ("workers-killed", "redis-flushed", "connections-ended", "postgres-restarted")
# On servers of yours: what disturbs nothing but the stack's own processes.
QUICK_GIVEN = (
    *("workers-killed", "workers-stopped", "api-killed", "beats"),
    *("doorbells-doubled", "connections-ended"),
)
RERUN_SECONDS = 15.0
WRITES = 100


@pytest.fixture
def rows(given):
    """What came of each scenario, one after the other on one stack of their own."""
    named = {scenario.name: scenario for scenario in SCENARIOS}
    wanted = [named[name] for name in (QUICK_GIVEN if given else QUICK)]
    with (
        tempfile.TemporaryDirectory(prefix="coin-tests-") as folder,
        usual(Path(folder), SEED, given) as grounds,
    ):
        return [play(scenario, grounds, seed=SEED, quick=True) for scenario in wanted]


def test_faults_lose_nothing_double_nothing_and_are_recovered_from(rows):
    """One test: xdist would start a stack for each."""
    assert [row.skipped for row in rows if row.skipped] == []
    assert [(row.fault, row.faults) for row in rows if not row.clean] == []
    assert min(row.applied for row in rows) >= WRITES
    assert min(row.balance_reads for row in rows) >= 1
    assert max(row.recover_max for row in rows) <= RERUN_SECONDS


# The tool itself


def test_no_server_but_its_own_is_disturbed():
    """Skipped before anything is done: here is no stack to do it to."""
    scenarios = [scenario for scenario in SCENARIOS if scenario.own]
    others = Grounds(SimpleNamespace(pids={"web": 1}), Path(), "", {})

    rows = [play(one, others, seed=SEED, quick=True) for one in scenarios]

    assert {row.fault: row.skipped for row in rows} == {
        "redis-restarted": "no redis of this run's own",
        "redis-flushed": "no redis of this run's own",
        "redis-frozen": "no redis of this run's own",
        "postgres-restarted": "no postgres of this run's own",
        "connections-used-up": "no postgres of this run's own",
        "all-at-once": "no redis and postgres of this run's own",
        "polling-postgres": "no postgres of this run's own",
    }


def test_no_disk_but_its_own_is_filled(tmp_path):
    given = {"DATABASE_URL": "postgresql://elsewhere"}

    with pytest.raises(NoGrounds, match="not this run's own"):
        small_disk(tmp_path, SEED, given).__enter__()


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({}, []),
        ({"recover_max": 15.1}, ["recovered in 15.1 s, not 15"]),
        ({"recover_max": None}, ["no recovery was measured"]),
        ({"accept_p99_ms": 601}, ["accept p99 was 601 ms, not 600"]),
        ({"accept_p99_ms": None}, ["nothing was accepted during the fault"]),
        ({"balance_reads": 0}, ["the trial balance was never read"]),
    ],
    ids=str,
)
def test_what_is_slower_than_allowed_or_not_measured_is_a_fault(told, wanted):
    scenario = next(one for one in SCENARIOS if one.name == "redis-frozen")
    within = {"recover_max": 15.0, "accept_p99_ms": 600, "balance_reads": 1}

    found = shortcomings(Row("a fault", "its line", **{**within, **told}), scenario)

    assert list(found) == wanted


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
