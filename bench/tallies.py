"""What counting takes: from ballots as people cast them to the result's bytes.

python -m bench.tallies [ROUNDS]
"""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench import memory
from bench.stack import ROOT
from domain.tally import Election, canonical, count, gather

_ROUNDS: Final = 5
_SEED: Final = 1
_OPTIONS: Final = tuple(f"option {number}" for number in range(10))
_MEGABYTE: Final = 1_000_000
MEMORY_MB_MAX: Final = 300.0

Cast = list[tuple[Any, int]]
Figures = dict[str, float]


@dataclass(frozen=True)
class Case:
    """An election, how many vote in it, and how long its count may take."""

    election: Election
    voters: int
    seconds_max: float
    draw: Callable[[random.Random], Any]

    def cast(self) -> Cast:
        """Return what everybody casts, the same in every run."""
        draw = random.Random(_SEED)
        return [(self.draw(draw), 1) for _ in range(self.voters)]


def _ranking(draw: random.Random) -> list[str]:
    """Return three to ten options in any order: hardly two people agree."""
    return draw.sample(_OPTIONS, draw.randint(3, len(_OPTIONS)))


def _word(draw: random.Random) -> str:
    return draw.choice(["yes", "no", "abstain"])


def _ranked(method: str, seats: int, seconds_max: float) -> Case:
    election = Election(method=method, options=_OPTIONS, seats=seats)
    return Case(election, 100_000, seconds_max, _ranking)


CASES: Final[Mapping[str, Case]] = {
    "scottish-stv, 3 seats": _ranked("scottish-stv", 3, 3.0),
    "scottish-stv, 5 seats": _ranked("scottish-stv", 5, 3.0),
    "meek-stv, 3 seats": _ranked("meek-stv", 3, 10.0),
    "meek-stv, 5 seats": _ranked("meek-stv", 5, 10.0),
    "irv": _ranked("irv", 1, 3.0),
    "yes-no": Case(Election(method="yes-no"), 1_000_000, 5.0, _word),
}


def once(name: str) -> Figures:
    """Count a case here and now; memory is all this process ever had."""
    case = CASES[name]
    cast = case.cast()
    began, worked = time.perf_counter(), time.process_time()
    canonical(count(case.election, gather(case.election, cast)))
    return {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - worked,
        "memory_mb": memory.peak() / _MEGABYTE,
    }


def measure(
    rounds: int = _ROUNDS, names: Collection[str] = CASES.keys()
) -> dict[str, Figures]:
    """Return the medians of cases, each count in a process of its own."""
    seen: dict[str, list[Figures]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, figures in seen.items():
            figures.append(_apart(name))
    return {
        name: {
            key: statistics.median(one[key] for one in figures) for key in figures[0]
        }
        for name, figures in seen.items()
    }


def _apart(name: str) -> Figures:
    done = subprocess.run(
        [sys.executable, "-m", "bench.tallies", "--once", name],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    figures: Figures = json.loads(done.stdout)
    return figures


def _lines(found: Mapping[str, Figures]) -> Iterator[str]:
    yield "| count | ballots | seconds | may take | processor seconds | peak MB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name, figures in found.items():
        case = CASES[name]
        yield (
            f"| {name} | {case.voters:,} | {figures['seconds']:.2f} "
            f"| {case.seconds_max:g} | {figures['processor_seconds']:.2f} "
            f"| {figures['memory_mb']:.0f} |"
        )


_PAGE: Final = """\
# Counting votes

Made by `python -m bench.tallies {rounds}`, medians of as many rounds: from ballots as
people cast them to the bytes of the result, the hash of all ballots included. Each
count has a process of its own, whose peak holds the ballots as they were cast, too; it
may be {memory:.0f} MB. Rankings name three to ten of ten options at random: hardly two
are the same. Load average of the machine before and after: {load}; its cores: {cores}.

{table}
"""


def main() -> None:
    """Print the table, write it down; or, for the process apart, print one count."""
    if sys.argv[1:2] == ["--once"]:
        print(json.dumps(once(sys.argv[2])))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS
    before = os.getloadavg()[0]
    table = "\n".join(_lines(measure(rounds)))
    print(table)
    page = _PAGE.format(
        rounds=rounds,
        memory=MEMORY_MB_MAX,
        load=f"{before:.1f}, {os.getloadavg()[0]:.1f}",
        cores=os.cpu_count(),
        table=table,
    )
    path = ROOT / "bench" / "results" / "tallies.md"
    path.write_text(page)


if __name__ == "__main__":
    main()
