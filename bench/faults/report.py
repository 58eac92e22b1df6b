"""The table of a run, for people and for programs."""

import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.faults.play import Row
from bench.stack import ROOT

RESULTS = ROOT / "bench" / "results"
_GIT_SECONDS = 10
_HEAD = (
    "fault",
    "what was done",
    "times",
    "seconds",
    "accepted",
    "sent again",
    "lost",
    "doubled",
    "recover p50 / max, s",
    "accept p99, ms",
    "notes",
)


def facts(*, seed: int, quick: bool, servers: dict[str, str]) -> dict[str, Any]:
    """Return what a reader needs to repeat the run."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "seed": seed,
        "quick": quick,
        "cores": psutil.cpu_count(),
        "load_average": round(psutil.getloadavg()[0], 1),
        "python": platform.python_version(),
        **servers,
    }


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=_GIT_SECONDS,
    )
    return done.stdout.strip()


def write(found: dict[str, Any], rows: Sequence[Row], name: str) -> list[Path]:
    """Write the report beside the others; return where it is."""
    RESULTS.mkdir(exist_ok=True)
    table, data = RESULTS / f"{name}.md", RESULTS / f"{name}.json"
    table.write_text(markdown(found, rows))
    whole = {"facts": found, "rows": [asdict(row) for row in rows]}
    data.write_text(json.dumps(whole, indent=1) + "\n")
    return [table, data]


def markdown(found: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return the run as Markdown."""
    command = f"make faults SEED={found['seed']}" + (
        " QUICK=1" if found["quick"] else ""
    )
    accepted = sum(row.accepted for row in rows)
    lines = [
        f"`{command}` at {found['at']}:",
        ", ".join(f"{key} {found[key]}" for key in found if key not in ("at", "seed"))
        + ".",
        (
            f"{accepted:,} writes accepted, {sum(row.lost for row in rows)} lost, "
            f"{sum(row.doubled for row in rows)} doubled."
        ),
        "",
        f"| {' | '.join(_HEAD)} |",
        f"|{'---|' * len(_HEAD)}",
        *(line(row) for row in rows),
        "",
        *(f"- {row.fault}: {fault}" for row in rows for fault in row.faults),
    ]
    return "\n".join(lines).rstrip() + "\n"


def line(row: Row) -> str:
    """Return one row of the table."""
    if row.skipped:
        cells = [row.fault, row.what, *["-"] * 8, f"not done: {row.skipped}"]
    else:
        notes = [*row.notes, *(["FAULTY, see below"] if row.faults else [])]
        cells = [
            row.fault,
            row.what,
            str(row.times),
            f"{row.fault_seconds:.0f}",
            f"{row.accepted:,}",
            f"{row.resent:,}",
            str(row.lost),
            str(row.doubled),
            f"{_figure(row.recover_p50, 1)} / {_figure(row.recover_max, 1)}",
            _figure(row.accept_p99_ms, 0),
            "; ".join(notes),
        ]
    return f"| {' | '.join(cells)} |"


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
