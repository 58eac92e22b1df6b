"""The table: every figure with its ratio to the calibration of the same run."""

from typing import Any

_ROWS = (
    ("pgbench TPC-B, 20 clients", "tpc_b", 1),
    ("single POST applied, 256 connections", "single_256", 1),
    ("single POST applied, 64 connections", "single_64", 1),
    ("entries in batches of 100", "batch_100", 1),
    ("entries in batches of 1,000", "batch_1000", 1),
    ("2 owners", "owners_2", 1),
    ("10 owners", "owners_10", 1),
    ("100 owners", "owners_100", 1),
    ("1,000 owners", "owners_1000", 1),
    ("Falcon doing nothing", "nothing", 1),
    ("one transaction a request", "synchronous", 1),
    ("one Celery task a write", "task_per_write", 1),
)
_SERVERS = {"postgres", "redis"}


def table(found: dict[str, Any]) -> str:
    """Return the run as a table for people."""
    measured = found["cases"]
    base = measured["tpc_b"]["per_second"]
    lines = ["", f"{'what':<40}{'a second':>12}{'x TPC-B':>10}"]
    for title, name, _ in _ROWS:
        rate = measured[name]["per_second"]
        lines.append(f"{title:<40}{rate:>12,.0f}{rate / base:>10.2f}")
    lines += ["", *_ratios(measured), *_latencies(measured), *_memory(found)]
    if stored := found.get("cases_stored"):
        for name in ("single_256", "batch_1000"):
            ratio = stored[name]["per_second"] / measured[name]["per_second"]
            millions = found["stored_transfers"] / 1e6
            lines.append(f"{name} with {millions:.0f} M stored: {ratio:.2f} x empty")
    return "\n".join(lines)


def _ratios(measured: dict[str, Any]) -> list[str]:
    def rate(name: str) -> float:
        return float(measured[name]["per_second"])

    return [
        f"{title}: {rate(one) / rate(other):.2f} x"
        for title, one, other in (
            ("single against one transaction a request", "single_256", "synchronous"),
            ("single against one Celery task a write", "single_256", "task_per_write"),
            ("2 owners against 1,000", "owners_2", "owners_1000"),
        )
    ]


def _latencies(measured: dict[str, Any]) -> list[str]:
    paced, lone = measured["paced"], measured["lone"]

    def both(figures: dict[str, float], name: str) -> str:
        return (
            f"p50 {figures[f'{name}_p50_ms']:.1f} p99 {figures[f'{name}_p99_ms']:.1f}"
        )

    accepted, applied = both(paced, "accept"), both(paced, "applied")
    return [
        f"at 70 % load, {paced['rate']:,.0f}/s, in ms: accepted {accepted}",
        f"at 70 % load, from accepted to applied, in ms: {applied}",
        f"a lone request that waits, in ms: {both(lone, 'waited')}",
    ]


def _memory(found: dict[str, Any]) -> list[str]:
    idle = found["memory_idle_bytes"]
    ours = {role: size for role, size in idle.items() if role not in _SERVERS}
    parts = ", ".join(f"{role} {size / 2**20:.0f}" for role, size in ours.items())
    total = sum(ours.values()) / 2**20
    per_transfer = found["storage_bytes_per_transfer"]
    everything = sum(per_transfer.values())
    books = sum(v for k, v in per_transfer.items() if k.startswith("transfers"))
    return [
        f"idle memory: {total:.0f} MiB ({parts})",
        f"bytes on disk: {books:.0f} a transfer, {everything:.0f} with its job",
    ]
