"""Memory of the stack's processes, role by role."""

from collections.abc import Mapping
from pathlib import Path

import psutil

Memory = dict[str, dict[str, int]]

_STATUS = Path("/proc/self/status")
_KILOBYTE = 1024


def peak() -> int:
    """Return the most bytes that this program ever had in memory.

    Not `ru_maxrss`: whoever is started by a larger process begins with its maximum.
    """
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * _KILOBYTE
    raise RuntimeError("the system does not tell")


def measure(pids: Mapping[str, int]) -> Memory:
    """Return each role's bytes, children included, in both ways of counting.

    Forked children share pages with their parent. `rss` counts such a page once for
    every process that has it, `pss` gives each its part, so that the sum counts it
    once; it is missing where the system does not tell.
    """
    return {role: _of_family(pid) for role, pid in pids.items()}


def _of_family(pid: int) -> dict[str, int]:
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
        found = {"rss": sum(process.memory_info().rss for process in family)}
        parts = [process.memory_full_info() for process in family]
    except psutil.NoSuchProcess:
        return {"rss": 0}
    except psutil.AccessDenied:
        return found
    if all(hasattr(part, "pss") for part in parts):
        found["pss"] = sum(part.pss for part in parts)
    return found
