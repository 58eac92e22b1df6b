"""Which cases a run measures, in what order, and how often."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial

from bench import cases
from bench.cases import Figures
from bench.stack import Stack

Case = Callable[[], Figures]

# Measured once more when the books are full.
WHEN_STORED = (
    *("tpc_b", "single_256", "single_64", "batch_1000"),
    *("paced", "lone", "owners_2"),
)
OWNERS = (2, 10, 100, 1_000)
_SHOWN = ("per_second", "accept_p99_ms", "applied_p99_ms", "waited_p50_ms")


def plan(stack: Stack, address: str, seconds: float) -> dict[str, Case]:
    """Return every case by its name; `address` is the database of TPC-B."""
    applied = partial(cases.applied, stack, seconds)
    peaks: list[float] = []

    def single_256() -> Figures:
        figures = applied(connections=256)
        peaks.append(figures["per_second"])
        return figures

    return {
        "tpc_b": partial(cases.tpc_b, address, seconds),
        "single_256": single_256,
        "single_64": partial(applied, connections=64),
        "batch_100": partial(applied, connections=8, batch=100),
        "batch_1000": partial(applied, connections=4, batch=1_000),
        "paced": lambda: cases.paced(stack, seconds, peaks[-1]),
        "lone": partial(cases.lone, stack, seconds),
        "nothing": partial(cases.nothing, stack, seconds / 2),
        "synchronous": partial(cases.synchronous, stack, seconds / 2),
        "task_per_write": partial(cases.task_per_write, stack, seconds / 2),
        **{f"owners_{owners}": partial(applied, owners=owners) for owners in OWNERS},
    }


def interleave(plan: Mapping[str, Case], rounds: int) -> dict[str, Figures]:
    """Run every case once a round, and return each figure's median."""
    runs: dict[str, list[Figures]] = defaultdict(list)
    for number in range(1, rounds + 1):
        for name, case in plan.items():
            figures = case()
            runs[name].append(figures)
            shown = [f"{key} {figures[key]:,.1f}" for key in _SHOWN if key in figures]
            print(f"round {number}  {name:<15} {', '.join(shown)}", flush=True)
    return {name: cases.medians(found) for name, found in runs.items()}
