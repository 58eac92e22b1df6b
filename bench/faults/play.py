"""Plays one scenario: load, fault, recovery, drain, verdict, a row of the table."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from random import Random
from statistics import median

from bench.faults.attack import Attack, Impossible
from bench.faults.books import Books
from bench.faults.checker import Checker
from bench.faults.grounds import Grounds
from bench.faults.load import Accepted, Load
from bench.faults.scenarios import Scenario
from bench.faults.verdict import judge, looked_up
from bench.faults.waiting import until
from bench.faults.writes import draw
from bench.stack import status_of

RATE, CONNECTIONS = 150, 8
_WARM_WRITES = 100
_WARM_SECONDS = 60.0
_DRAIN_SECONDS = 120.0
_OK = 200


@dataclass
class Row:
    """What is told of one scenario."""

    fault: str
    what: str
    skipped: str = ""
    times: int = 0
    seconds: float = 0.0
    fault_seconds: float = 0.0
    accepted: int = 0
    resent: int = 0
    applied: int = 0
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    recover_p50: float | None = None
    recover_max: float | None = None
    accept_p99_ms: float | None = None
    balance_reads: int = 0
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Say whether nothing was lost, doubled or otherwise wrong."""
        return not (self.lost or self.doubled or self.faults)


def play(scenario: Scenario, grounds: Grounds, *, seed: int, quick: bool) -> Row:
    """Run a scenario on its grounds and return what came of it."""
    row = Row(scenario.name, scenario.what)
    if lacking := [server for server in scenario.own if grounds.lacks(server)]:
        row.skipped = f"no {' and '.join(lacking)} of this run's own"
        return row
    # A text, so that each scenario is the same whichever others are played.
    chance = Random(f"{seed} {scenario.name}")
    prefix = f"{scenario.name}-{seed}"
    stack = grounds.stack
    writes = draw(Random(f"{seed} {scenario.name} writes"), prefix)
    load = Load(stack.api, stack.key, writes, rate=RATE, connections=CONNECTIONS)
    attack = Attack(grounds, Books(grounds.database), load, chance, quick)
    checker = Checker(stack.api, stack.key)
    began = time.monotonic()
    _ready(grounds)
    load.start()
    checker.start()
    try:
        load.wait_accepted(_WARM_WRITES, since=0.0, seconds=_WARM_SECONDS)
        scenario.run(attack)
    except Impossible as reason:
        row.skipped = str(reason)
    except Exception as error:  # noqa: BLE001  the row says it, the others are run
        row.faults.append(f"{type(error).__name__}: {error}")
    load.stop()
    _verify(row, attack, prefix)
    checker.stop()
    row.balance_reads = checker.reads
    if not row.skipped:
        row.faults += shortcomings(row, scenario)
    row.faults += [f"trial balance {found}" for found in checker.unbalanced[:3]]
    row.seconds = time.monotonic() - began
    return row


def _verify(row: Row, attack: Attack, prefix: str) -> None:
    """Wait until all is applied, and compare."""
    load, stack = attack.load, attack.grounds.stack
    row.faults += load.problems[:3]
    try:
        until(lambda: not attack.books.waiting(), _DRAIN_SECONDS, "drained")
        _ready(attack.grounds)
        row.faults += looked_up(
            stack.api, stack.key, [one.job for one in load.accepted]
        )
    except (TimeoutError, OSError) as error:
        row.faults.append(str(error))
    verdict = judge(attack.books, load.accepted, prefix)
    for name, value in asdict(verdict).items():
        if name != "faults":
            setattr(row, name, value)
    row.faults += verdict.faults
    row.times, row.notes = attack.count, attack.notes
    row.fault_seconds = sum(end - start for start, end in attack.windows)
    row.accepted = len(load.accepted)
    row.resent = sum(one.tries - 1 for one in load.accepted)
    row.accept_p99_ms = _p99(load.accepted, attack.windows)
    if attack.recoveries:
        row.recover_p50 = median(attack.recoveries)
        row.recover_max = max(attack.recoveries)


def shortcomings(row: Row, scenario: Scenario) -> Iterator[str]:
    """Yield every bound that was not kept, and all that was never measured."""
    if row.recover_max is None:
        yield "no recovery was measured"
    elif row.recover_max > scenario.recover_seconds:
        yield f"recovered in {row.recover_max:.1f} s, not {scenario.recover_seconds:g}"
    if allowed := scenario.accept_p99_ms:
        if row.accept_p99_ms is None:
            yield "nothing was accepted during the fault"
        elif row.accept_p99_ms > allowed:
            yield f"accept p99 was {row.accept_p99_ms:.0f} ms, not {allowed:g}"
    if not row.balance_reads:
        yield "the trial balance was never read"


def _ready(grounds: Grounds) -> None:
    address = f"{grounds.stack.api}/status/ready"
    until(lambda: status_of(address) == _OK, _WARM_SECONDS, "a stack that is ready")


def _p99(accepted: list[Accepted], windows: list[tuple[float, float]]) -> float | None:
    """Return the 99th percentile of the answers that fell into the fault."""
    times = sorted(
        one.seconds
        for one in accepted
        if any(
            start <= one.sent + one.seconds and one.sent <= end
            for start, end in windows
        )
    )
    return times[int(0.99 * (len(times) - 1))] * 1000 if times else None
