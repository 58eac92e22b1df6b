"""`make bench`: everything in one run, interleaved, as medians and ratios.

python -m bench [--quick] [--stored MILLIONS] [--name NAME]
"""

import argparse
import json
import platform
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from bench import cases, growth, report, tpcb
from bench.cases import Figures
from bench.stack import ROOT, Stack, running

RESULTS = ROOT / "bench" / "results"
ROUNDS, SECONDS = 5, 8.0
QUICK_ROUNDS, QUICK_SECONDS = 1, 4.0

Case = Callable[[], Figures]


def main() -> None:
    """Measure, print the table, write the report."""
    options = _options()
    rounds, seconds = (
        (QUICK_ROUNDS, QUICK_SECONDS) if options.quick else (ROUNDS, SECONDS)
    )
    with tempfile.TemporaryDirectory(prefix="coin-bench-") as folder:
        data = Path(folder) / "data"
        with running(data, {"LOG_LEVEL": "INFO"}) as stack:
            facts = _facts(stack, rounds, seconds)
            memory_idle = stack.memory()
            measured = _measure(stack, rounds, seconds)
            found: dict[str, Any] = {
                "facts": facts,
                "cases": measured,
                "memory_idle_bytes": memory_idle,
                "memory_bytes": stack.memory(),
                "storage_bytes_per_transfer": growth.storage(stack),
            }
            if options.stored:
                growth.store(stack, options.stored * 1_000_000)
                found["cases_stored"] = _measure_stored(stack, rounds, seconds)
                found["stored_transfers"] = options.stored * 1_000_000
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{options.name}.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(report.table(found))
    print(f"\n{path.relative_to(ROOT)} written")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="the table in two minutes")
    parser.add_argument(
        "--stored", type=int, default=0, help="measure again with that many millions"
    )
    parser.add_argument("--name", default="latest", help="name of the report")
    return parser.parse_args()


def _measure(stack: Stack, rounds: int, seconds: float) -> dict[str, Figures]:
    address = tpcb.prepare(stack)
    single: list[float] = []

    def single_256() -> Figures:
        figures = cases.applied(stack, seconds, connections=256)
        single.append(figures["per_second"])
        return figures

    plan: dict[str, Case] = {
        "tpc_b": partial(cases.tpc_b, address, seconds),
        "single_256": single_256,
        "single_64": partial(cases.applied, stack, seconds, connections=64),
        "batch_100": partial(cases.applied, stack, seconds, connections=8, batch=100),
        "batch_1000": partial(
            cases.applied, stack, seconds, connections=4, batch=1_000
        ),
        "paced": lambda: cases.paced(stack, seconds, single[-1]),
        "lone": partial(cases.lone, stack, seconds),
        "nothing": partial(cases.nothing, stack, seconds / 2),
        "synchronous": partial(cases.synchronous, stack, seconds / 2),
        "task_per_write": partial(cases.task_per_write, stack, seconds / 2),
        **{
            f"owners_{owners}": partial(cases.applied, stack, seconds, owners=owners)
            for owners in (2, 10, 100, 1_000)
        },
    }
    return _interleave(plan, rounds)


def _measure_stored(stack: Stack, rounds: int, seconds: float) -> dict[str, Figures]:
    plan: dict[str, Case] = {
        "single_256": partial(cases.applied, stack, seconds, connections=256),
        "batch_1000": partial(
            cases.applied, stack, seconds, connections=4, batch=1_000
        ),
        "lone": partial(cases.lone, stack, seconds),
    }
    return _interleave(plan, rounds)


def _interleave(plan: dict[str, Case], rounds: int) -> dict[str, Figures]:
    runs: dict[str, list[Figures]] = defaultdict(list)
    for number in range(1, rounds + 1):
        for name, case in plan.items():
            figures = case()
            runs[name].append(figures)
            shown = ", ".join(f"{key} {value:,.1f}" for key, value in figures.items())
            print(f"round {number}  {name:<15} {shown}", flush=True)
    return {name: cases.medians(found) for name, found in runs.items()}


def _facts(stack: Stack, rounds: int, seconds: float) -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    settings = ("fsync", "synchronous_commit", "shared_buffers", "max_wal_size")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgresql": stack.value("SHOW server_version"),
        "settings": {name: stack.value(f"SHOW {name}") for name in settings},
        "rounds": rounds,
        "seconds": seconds,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
