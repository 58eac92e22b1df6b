"""What polls of the observability node cost the ledger: windows with and without.

python -m bench.observer [SECONDS] [ROUNDS]
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil

from bench import cases, facts, memory
from bench.polling import PATHS, Polled, polling
from bench.stack import ROOT, Stack, running, status_of
from cli.processes import free_port

RATE = 200.0
CHANGE_MAX = 0.03
# Of the rate, so much must have been answered for the figures to mean anything.
_KEPT = 0.95
_SECONDS, _ROUNDS = 4.0, 60
_CONNECTIONS = 64
_START_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_RESULT = ROOT / "bench" / "results" / "observer.md"


@dataclass
class Seen:
    """Writes applied a second, window by window, and what the pollers were answered."""

    alone: list[float] = field(default_factory=list)
    polled: list[float] = field(default_factory=list)
    seconds: float = 0.0
    spent: float = 0.0  # of a processor, by the node while it was polled
    answers: Polled = field(default_factory=Polled)

    @property
    def changes(self) -> list[float]:
        """Return by how much each polled window differs from its neighbour."""
        pairs = zip(self.alone, self.polled, strict=True)
        return [polled / alone - 1 for alone, polled in pairs]

    @property
    def change(self) -> float:
        """Return the median of them: neighbours see the same machine."""
        return statistics.median(self.changes)

    @property
    def rate(self) -> float:
        """Return how many polls a second were answered."""
        return len(self.answers.latencies) / self.seconds

    @property
    def passed(self) -> bool:
        """Say whether it was polled as meant, and the ledger hardly noticed."""
        return self.rate >= _KEPT * RATE and self.change >= -CHANGE_MAX


def measure(stack: Stack, node: str, *, seconds: float, rounds: int) -> Seen:
    """Load the ledger in pairs of windows; who comes first changes every time."""
    seen = Seen()
    cases.applied(stack, seconds, connections=_CONNECTIONS)  # caches, pools, files
    for number in range(rounds):
        for polled in (False, True) if number % 2 else (True, False):
            if polled:
                with _watched(stack, seen), polling(node, RATE) as answers:
                    seen.polled.append(_throughput(stack, seconds))
                seen.answers.statuses.update(answers.statuses)
                seen.answers.latencies.extend(answers.latencies)
            else:
                seen.alone.append(_throughput(stack, seconds))
        print(f"round {number + 1}: {seen.changes[-1]:+.1%}", flush=True)
    return seen


def _throughput(stack: Stack, seconds: float) -> float:
    figures = cases.applied(stack, seconds, connections=_CONNECTIONS)
    return figures["per_second"]


@contextmanager
def _watched(stack: Stack, seen: Seen) -> Iterator[None]:
    """Add how long the block lasted, and what of it the node had a processor."""
    began, before = time.perf_counter(), _used(stack)
    yield
    seen.seconds += time.perf_counter() - began
    seen.spent += _used(stack) - before


def _used(stack: Stack) -> float:
    node = psutil.Process(stack.pids["observer"])
    times = [one.cpu_times() for one in (node, *node.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def page(seen: Seen, found: dict[str, Any], size: int, arguments: Sequence[str]) -> str:
    """Return the figures as they are kept."""
    count = len(seen.answers.latencies)
    times = cases.quantiles("poll", seen.answers.latencies)
    rows = {
        "writes applied a second, median": (
            f"{statistics.median(seen.alone):,.0f}",
            f"{statistics.median(seen.polled):,.0f}",
        ),
        "of single windows": (_range(seen.alone), _range(seen.polled)),
        "polls answered a second": ("0", f"{seen.rate:.0f}"),
        "polls not answered 200": ("", f"{count - seen.answers.statuses[200]}"),
        "ms of a poll, p50 and p99": (
            *("", f"{times['poll_p50_ms']:.1f} and {times['poll_p99_ms']:.1f}"),
        ),
        "processor time of the node, µs a poll": (
            *("", f"{seen.spent / count * 1e6:.0f}"),
        ),
        "memory of the node, MB (shared pages by their part)": (
            *("", f"{size / 1e6:.0f}"),
        ),
    }
    lines = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    low, _, high = statistics.quantiles(seen.changes, n=4)
    return f"""\
# The ledger while the observability node is polled

`{" ".join(("python -m bench.observer", *arguments))}` on {found["cores"]} cores, load \
average {load} after it, commit {found["commit"]}. Windows of single writes at \
{_CONNECTIONS} connections in pairs, without and with {RATE:.0f} polls a second: all \
{len(PATHS)} addresses at once, {RATE / len(PATHS):.0f} times. Who polls, and the load \
generator, run beside the stack and take their part of the processors.

| | alone | polled |
|---|---|---|
{chr(10).join(lines)}

The median of {len(seen.changes)} pairs differs by **{seen.change:+.1%}**; the bound \
is {-CHANGE_MAX:.0%}. The middle half of them is from {low:+.1%} to {high:+.1%}.
"""


def _range(rates: Sequence[float]) -> str:
    return f"{min(rates):,.0f} to {max(rates):,.0f}"


def _wait_for(node: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while status_of(f"{node}/api/system_state") != HTTPStatus.OK:
        if time.monotonic() > deadline:
            raise TimeoutError("the observability node did not become ready")
        time.sleep(_LOOK_SECONDS)


def main() -> None:
    """Measure, keep the page, and fail when the bound is passed."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else _SECONDS
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else _ROUNDS  # noqa: PLR2004
    port = str(free_port())
    with (
        tempfile.TemporaryDirectory(prefix="coin-observer-") as folder,
        running(Path(folder) / "data", {"OBSERVABILITY_PORT": port}) as stack,
    ):
        node = f"http://127.0.0.1:{port}"
        _wait_for(node)
        seen = measure(stack, node, seconds=seconds, rounds=rounds)
        sizes = memory.measure(stack.pids)["observer"]
        found = facts.collect(stack)
    size = sizes.get("pss", sizes["rss"])
    _RESULT.write_text(page(seen, found, size, sys.argv[1:]))
    print(_RESULT.read_text())
    sys.exit(not seen.passed)


if __name__ == "__main__":
    main()
