"""`make bench`: everything in one run, interleaved, as medians and ratios.

python -m bench [--quick] [--stored MILLIONS] [--name NAME]
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import (
    ballots,
    cases,
    claims,
    facts,
    governance,
    growth,
    memory,
    page,
    report,
    storage,
    tpcb,
)
from bench.plan import WHEN_STORED, Case, interleave, plan
from bench.stack import ROOT, Stack, running

ROUNDS, SECONDS = 3, 8.0
QUICK_ROUNDS, QUICK_SECONDS = 1, 4.0
# For the processes to have done what they do once.
_IDLE_SECONDS = 5.0
_INTERRUPTED = 130


def main() -> None:
    """Measure, print the table, write the report."""
    options = _options()
    # As Ctrl-C, so that nothing started here is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="coin-bench-") as folder:
            found = _run(Path(folder) / "data", options)
    except KeyboardInterrupt:
        print("\ninterrupted: everything stopped, nothing written", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    path = report.path(options.name or ("quick" if options.quick else "latest"))
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(report.table(found))
    written = [path] if options.quick else [path, page.write(found)]
    print("\nwritten:", *(one.relative_to(ROOT) for one in written))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="the table in two minutes")
    parser.add_argument(
        "--stored", type=int, default=0, help="measure again with that many millions"
    )
    parser.add_argument("--name", help="name of the report")
    return parser.parse_args()


def _run(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with running(data, {"LOG_LEVEL": "INFO", **ballots.UNLIMITED}) as stack:
        print("the stack is up", flush=True)
        time.sleep(_IDLE_SECONDS)
        idle = memory.measure(stack.pids)
        # Warms up; and while every transfer has a job, what both take can be said.
        cases.applied(stack, seconds, connections=64)
        stored = storage.measure(stack)
        everything = plan(stack, tpcb.prepare(stack), seconds)
        return {
            "facts": {
                **facts.collect(stack),
                "command": _command(options),
                "rounds": rounds,
                "seconds": seconds,
            },
            "cases": interleave(everything, rounds),
            "memory": {"idle": idle, "loaded": memory.measure(stack.pids)},
            "storage_bytes_per_transfer": stored,
            "governance": governance.measure(
                stack, seconds, rounds, quick=options.quick
            ),
            **_full_books(stack, everything, rounds, options),
        }


def _full_books(
    stack: Stack,
    everything: Mapping[str, Case],
    rounds: int,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Return what is measured once more when the books are full."""
    if not options.stored:
        return {}
    came_and_went = claims.QUICK_JOBS if options.quick else claims.JOBS
    found = {"claims": claims.measure(stack, came_and_went)}
    growth.store(stack, options.stored * growth.MILLION)
    chosen = {name: everything[name] for name in WHEN_STORED}
    return {
        **found,
        "stored_transfers": options.stored * growth.MILLION,
        "cases_stored": interleave(chosen, rounds),
    }


def _command(options: argparse.Namespace) -> str:
    """Return the command that makes this report again."""
    quick = " QUICK=1" if options.quick else ""
    return (
        "make bench" + quick + (f" STORED={options.stored}" if options.stored else "")
    )


if __name__ == "__main__":
    main()
