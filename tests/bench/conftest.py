import pytest

from bench.cases import QUANTILES
from bench.plan import OWNERS, WHEN_STORED
from bench.tables import LATENCIES

RATES = {
    "tpc_b": 1_000.0,
    "single_256": 1_200.0,
    "single_64": 900.0,
    "batch_100": 3_000.0,
    "batch_1000": 2_900.0,
    "nothing": 5_000.0,
    "synchronous": 200.0,
    "task_per_write": 100.0,
    **{f"owners_{owners}": 1_000.0 + owners for owners in OWNERS},
}
INDEXES = ("jobs_application", "jobs_idempotency", "jobs_pkey", "jobs_queued")


def cases():
    found = {name: {"per_second": rate} for name, rate in RATES.items()}
    for case, name in LATENCIES.values():
        figures = {f"{name}_{q}_ms": 10.0 * n for n, q in enumerate(QUANTILES, 1)}
        found.setdefault(case, {"rate": 840.0}).update(figures)
    return found


def look(scale):
    return {
        "claim_p50_ms": 2.0 * scale,
        "claim_p50_blocks": 100.0,
        "table_bytes": 1e6 * scale,
        "index_bytes": dict.fromkeys(INDEXES, 1e6 * scale),
        "dead_tuples": 10 * scale,
        "updates": 1_000 * scale,
        "hot_updates": 0,
        "vacuums": 0,
        "autovacuums": scale,
    }


def governance():
    rates = {"ledger": 4_000.0, "open ballots": 3_600.0, "secret ballots": 3_000.0}
    answered = {f"accept_{q}_ms": 10.0 * n for n, q in enumerate(QUANTILES, 1)}
    count = {"seconds": 2.0, "processor_seconds": 1.5, "memory_mb": 130.0}
    names = ("scottish-stv, 5 seats", "meek-stv, 5 seats", "yes-no")
    return {
        "ballots": {n: {"per_second": r, **answered} for n, r in rates.items()},
        "result": {f"read_{q}_ms": 1.0 * n for n, q in enumerate(QUANTILES, 1)},
        "counts": {name: dict(count) for name in names},
        "jobs": {
            "scottish-stv": {**count, "seconds": 3.5, "memory_mb": 180.0},
            "meek-stv": {**count, "seconds": 4.0},
        },
    }


@pytest.fixture
def found():
    """A made-up run, as `make bench STORED=10` writes it."""
    size = {"pss": 60_000_000, "rss": 90_000_000}
    roles = ("postgres", "redis", "web", "worker", "beat")
    full = {name: dict(figures) for name, figures in cases().items()}
    full["single_256"]["per_second"] = 1_080.0
    return {
        "facts": {
            "at": "2026-01-01T00:00:00+00:00",
            "command": "make bench STORED=10",
            "commit": "abc1234",
            "processor": "Imaginary",
            "cores": 2,
            "memory_bytes": 24e9,
            "kernel": "6.1",
            "python": "3.11.7",
            "postgresql": "18.4",
            "redis": None,
            "libraries": {"falcon": "4.4.0"},
            "settings": {"fsync": "on"},
            "variables": {"ledger_lanes": 1},
            "rounds": 5,
            "seconds": 8.0,
        },
        "cases": cases(),
        "memory": {
            "idle": {role: dict(size) for role in roles},
            "loaded": {role: dict(size) for role in roles},
        },
        "storage_bytes_per_transfer": {
            "transfers: transfers": 170.0,
            "transfers: transfers_pkey": 40.0,
            "jobs: jobs": 900.0,
        },
        "governance": governance(),
        "claims": {
            "jobs": 1_000_000,
            "empty": look(1),
            "windows": [
                {"jobs": 500_000 * n, "p50_ms": 2.0, "max_ms": 9.0} for n in (1, 2)
            ],
            "full": look(3),
        },
        "stored_transfers": 10_000_000,
        "cases_stored": {name: full[name] for name in WHEN_STORED},
    }


@pytest.fixture
def found_empty(found):
    """The same run without the books that were filled."""
    absent = {"claims", "stored_transfers", "cases_stored"}
    return {name: found[name] for name in found.keys() - absent}
