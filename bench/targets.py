"""What the ledger set out to reach, and whether a run did: the targets' one place."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

Found = dict[str, Any]

# Not ours: what a host has anyway.
SERVERS = frozenset(("postgres", "redis"))
_STORED = 10_000_000
# What is near a bound must not be rounded to it.
_FORMS = {"x": "{:.3g} x", "s": "{:,.2f} s", "ms": "{:,.1f} ms", "MB": "{:,.0f} MB"}


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and its bound, which is the least or, unless `least`, the most."""

    what: str
    bound: float
    unit: str
    measure: Callable[[Found], float | None]
    least: bool = True
    aim: float | None = None

    @property
    def wanted(self) -> str:
        """Return the bound in words."""
        text = f"{'at least' if self.least else 'under'} {self.bound:g} {self.unit}"
        return text if self.aim is None else f"{text} (aim {self.aim:g})"

    def judge(self, found: Found) -> tuple[str, str]:
        """Return what was measured, and whether that reaches the target."""
        value = self.measure(found)
        if value is None:
            return "-", "not measured"
        reached = value >= self.bound if self.least else value < self.bound
        return _FORMS[self.unit].format(value), "yes" if reached else "missed"


def rate(found: Found, name: str) -> float:
    """Return what a case did in a second."""
    return float(found["cases"][name]["per_second"])


def kept(found: Found, name: str) -> float:
    """Return the share of its rate that a case keeps with the books full."""
    return float(found["cases_stored"][name]["per_second"]) / rate(found, name)


def memory(found: Found, when: str, way: str, roles: Collection[str]) -> float | None:
    """Return the megabytes of some processes, counted that way if it was possible."""
    sizes = [found["memory"][when][role].get(way) for role in roles]
    return None if None in sizes else sum(sizes) / 1e6


def _idle(found: Found) -> float | None:
    return memory(found, "idle", "pss", found["memory"]["idle"].keys() - SERVERS)


def _ratio(name: str, other: str) -> Callable[[Found], float]:
    return lambda found: rate(found, name) / rate(found, other)


def _figure(case: str, name: str) -> Callable[[Found], float]:
    return lambda found: float(found["cases"][case][name])


def _counted(method: str) -> Callable[[Found], float]:
    """Return what looks up the longest count by a method, however many the seats."""

    def measure(found: Found) -> float:
        counts = found["governance"]["counts"]
        return max(
            float(figures["seconds"])
            for name, figures in counts.items()
            if name.split(",")[0] == method
        )

    return measure


def _tallied(method: str) -> Callable[[Found], float | None]:
    """Return what looks up how long a worker's jobs took, if they were measured."""

    def measure(found: Found) -> float | None:
        jobs = found["governance"]["jobs"]
        return float(jobs[method]["seconds"]) if method in jobs else None

    return measure


def _counting_memory(found: Found) -> float:
    both = found["governance"]["counts"], found["governance"]["jobs"]
    return max(
        float(figures["memory_mb"]) for seen in both for figures in seen.values()
    )


def ballots_rate(found: Found, name: str) -> float:
    """Return how many of these were applied in a second, against ledger writes."""
    seen = found["governance"]["ballots"]
    return float(seen[name]["per_second"] / seen["ledger"]["per_second"])


def _kept_at_scale(name: str) -> Callable[[Found], float | None]:
    def measure(found: Found) -> float | None:
        enough = found.get("stored_transfers", 0) >= _STORED
        return kept(found, name) if enough else None

    return measure


TARGETS = (
    Target(
        "single POST, 256 connections, against TPC-B",
        1.0,
        "x",
        _ratio("single_256", "tpc_b"),
        aim=1.5,
    ),
    Target(
        "entries in batches of 1,000 against TPC-B",
        3.0,
        "x",
        _ratio("batch_1000", "tpc_b"),
        aim=6.0,
    ),
    Target(
        "single POST against one Celery task a write",
        10.0,
        "x",
        _ratio("single_256", "task_per_write"),
    ),
    Target(
        "single POST against one transaction a request",
        5.0,
        "x",
        _ratio("single_256", "synchronous"),
    ),
    Target("2 owners against 1,000", 1.0, "x", _ratio("owners_2", "owners_1000")),
    Target(
        "at 70 % load, from accepted to applied, p99",
        1_000.0,
        "ms",
        _figure("paced", "applied_p99_ms"),
        least=False,
    ),
    Target(
        "at 70 % load, accepted, p99",
        50.0,
        "ms",
        _figure("paced", "accept_p99_ms"),
        least=False,
    ),
    Target(
        "a lone request that waits, p50",
        30.0,
        "ms",
        _figure("lone", "waited_p50_ms"),
        least=False,
    ),
    Target(
        "single POST with 10 million transfers stored, against none",
        0.8,
        "x",
        _kept_at_scale("single_256"),
    ),
    Target(
        "batches of 1,000 with 10 million transfers stored, against none",
        0.8,
        "x",
        _kept_at_scale("batch_1000"),
    ),
    Target(
        "memory of the idle stack without PostgreSQL and Redis",
        400.0,
        "MB",
        _idle,
        least=False,
    ),
)

GOVERNANCE = (
    Target(
        "open ballots over HTTP against single ledger writes",
        0.8,
        "x",
        lambda found: ballots_rate(found, "open ballots"),
    ),
    Target(
        "tally of 100,000 rankings of 10, Scottish STV, a worker's jobs",
        3.0,
        "s",
        _tallied("scottish-stv"),
        least=False,
    ),
    Target(
        "tally of 100,000 rankings of 10, Meek STV, a worker's jobs",
        10.0,
        "s",
        _tallied("meek-stv"),
        least=False,
    ),
    Target(
        "the same by Scottish STV, the count alone",
        3.0,
        "s",
        _counted("scottish-stv"),
        least=False,
    ),
    Target(
        "the same by Meek STV, the count alone",
        10.0,
        "s",
        _counted("meek-stv"),
        least=False,
    ),
    Target(
        "tally of 1,000,000 ballots yes or no, a worker's jobs",
        5.0,
        "s",
        _tallied("yes-no"),
        least=False,
    ),
    Target(
        "1,000,000 ballots yes or no, the count alone",
        5.0,
        "s",
        _counted("yes-no"),
        least=False,
    ),
    Target(
        "memory of a process that counts", 300.0, "MB", _counting_memory, least=False
    ),
    Target(
        "the result of a counted vote, asked for again, p50",
        5.0,
        "ms",
        lambda found: float(found["governance"]["result"]["read_p50_ms"]),
        least=False,
    ),
)


def targets(found: Found) -> tuple[Target, ...]:
    """Return the targets of a run; one from before there were votes had fewer."""
    return TARGETS + GOVERNANCE if "governance" in found else TARGETS
