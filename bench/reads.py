"""What copies in Redis do for reads and cost writes: the same stack, with and without.

python -m bench.reads [SECONDS] [ROUNDS]
"""

import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from bench import cases
from bench.stack import Stack, running

_SECONDS, _ROUNDS = 6.0, 3
_CONNECTIONS = 64
_LIVES = ("0", "1", "10")
# Few owners are read many times within a copy's life, many owners hardly ever.
_OWNERS = (10, 1_000)
_READING = ("web", "postgres", "redis")
_WRITING = ("workers", "redis")


def _figures(stack: Stack, seconds: float) -> dict[str, float]:
    found = _costs(stack, "writes", _WRITING, seconds=seconds)
    for owners in _OWNERS:
        options = {"reads": True, "owners": owners}
        cases.load(stack, 1.0, **options)
        name = f"reads of {owners}"
        found |= _costs(stack, name, _READING, seconds=seconds, **options)
    return found


def _costs(
    stack: Stack, name: str, roles: Sequence[str], **options: Any
) -> dict[str, float]:
    """Return how many a second, and what one costs each role in processor time."""
    before = {role: _used(stack, role) for role in roles}
    seen = cases.load(stack, connections=_CONNECTIONS, **options)
    stack.drained()
    count = len(seen.latencies)
    spent = {role: (_used(stack, role) - before[role]) / count for role in roles}
    return {
        f"{name} a second": count / seen.seconds,
        **{f"{name}, µs each, {role}": used * 1e6 for role, used in spent.items()},
    }


def _used(stack: Stack, role: str) -> float:
    """Return the processor time of a role's processes, which all live on."""
    parent = psutil.Process(stack.pids[role])
    times = [one.cpu_times() for one in (parent, *parent.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def main() -> None:
    """Print medians, a column for each CACHE_SECONDS."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else _SECONDS
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else _ROUNDS  # noqa: PLR2004
    seen: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(rounds):
        for life in _LIVES:
            with (
                tempfile.TemporaryDirectory(prefix="coin-reads-") as folder,
                running(Path(folder) / "data", {"CACHE_SECONDS": life}) as stack,
            ):
                for name, figure in _figures(stack, seconds).items():
                    seen[name, life].append(figure)
    print(f"{'CACHE_SECONDS':32}" + "".join(f"{life:>10}" for life in _LIVES))
    for name in dict.fromkeys(name for name, _ in seen):
        row = [statistics.median(seen[name, life]) for life in _LIVES]
        print(f"{name:32}" + "".join(f"{figure:10.1f}" for figure in row))


if __name__ == "__main__":
    main()
