"""The page of a run, docs/benchmark.md, with its charts.

python -m bench.page [NAME]
"""

import sys
from pathlib import Path
from typing import Any

from bench import charts, report
from bench.stack import ROOT
from bench.tables import Table, tables
from bench.targets import Found

DOCS = ROOT / "docs"

_INTRODUCTION = """\
Made by `{command}`, which starts a stack of its own and measures every case in turn,
round after round. `python -m bench.page` makes it again from the stored figures."""

# What a reader has to know to read a table rightly.
_NOTES = {
    "targets": (
        "Every figure is a median over the rounds, a ratio one of such medians, taken "
        "in the same minutes."
    ),
    "throughput": (
        "A write counts when it is applied: the time until the last one accepted was "
        "applied is part of its run (`drain`). The last three do nothing at all, or "
        "the same work in another design."
    ),
    "owners": "Single POST, 256 connections: how much it costs when accounts are few.",
    "latency": (
        "Requests are due at fixed times, and an answer's time counts from when its "
        "request was due. Applied is from when the request was read until its outcome "
        "was written. A lone request waits for its outcome on a system that does "
        "nothing else."
    ),
    "memory": (
        "Forked processes share pages with their parent. `summed` is resident memory "
        "added up, which counts such a page once for each of them; `once` gives each "
        "its part (PSS), and its sum is the memory that is in use, so the target is "
        "held against it. Pages shared with programs outside the stack are parted with "
        "those too. Idle is five seconds after the stack was ready, without Flower."
    ),
    "storage": (
        "Taken after single writes alone, before anything else ran, each of them one "
        "transfer and one job. Versions of jobs that autovacuum has yet to take away "
        "are included."
    ),
    "voting": (
        "Ledger writes and ballots in turns, 256 connections, counted when applied. Of "
        "a secret vote only the first ballot of each voter is cast; all are sealed, "
        "stored, unsealed and decided. The result is that of an election among ten, "
        "over one connection that stays open."
    ),
    "counting": (
        "A million ballots between yes and no, else 100,000 that rank three to ten of "
        "ten options at random, so that hardly two are the same. The count alone is "
        "from ballots as cast to the bytes of the result; a worker's jobs, for five "
        "seats, are from the database to the stored result. Each has a process of its "
        "own, and `peak` is all the memory that it ever had."
    ),
    "growth": (
        "Transfers and finished jobs were inserted in bulk; the trial balance over "
        "them was zero. TPC-B has a database of its own: what it lost, the host lost."
    ),
    "claims": (
        "Jobs submitted, claimed and finished 500 at a time by the product's own "
        "statements in a database of their own, with autovacuum as it came. A point of "
        "the chart is the median of the claims of one twentieth of them; the table has "
        "claims before the first and after the last, rolled back."
    ),
}


def write(found: Found, docs: Path = DOCS) -> Path:
    """Write the page and its charts; return where it is."""
    drawn = charts.draw(found, docs / "benchmark")
    path = docs / "benchmark.md"
    path.write_text(markdown(found, drawn))
    return path


def markdown(found: Found, drawn: list[str]) -> str:
    """Return the page's text with the charts that were drawn."""
    parts = [
        "# Benchmark",
        _INTRODUCTION.format(**found["facts"]),
        _facts(found["facts"]),
    ]
    for table in tables(found):
        parts += [f"## {table.title}", _NOTES[table.name]]
        if table.name in drawn:
            parts.append(f"![{table.title}](benchmark/{table.name}.svg)")
        parts.append(_table(table))
    return "\n\n".join(parts) + "\n"


def _facts(facts: dict[str, Any]) -> str:
    versions = {
        "Python": facts["python"],
        "PostgreSQL": facts["postgresql"],
        "Redis": facts["redis"],
        **facts["libraries"],
    }
    shown = {
        "commit": f"{facts['commit']}, {facts['at']}",
        "host": f"{facts['processor']}, {facts['cores']} cores, "
        f"{facts['memory_bytes'] / 1e9:.0f} GB, Linux {facts['kernel']}",
        "run": f"{facts['rounds']} rounds, {facts['seconds']:g} s a case",
        "versions": ", ".join(f"{k} {v}" for k, v in versions.items() if v),
        "PostgreSQL's settings": _settings(facts["settings"]),
        "the product's settings": _settings(facts["variables"]),
    }
    return "\n".join(f"* {name}: {text}" for name, text in shown.items())


def _settings(settings: dict[str, Any]) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in settings.items())


def _table(table: Table) -> str:
    marks = ["---" if n < table.texts else "---:" for n in range(len(table.head))]
    lines = [table.head, marks, *table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "latest"
    print(write(report.read(name)).relative_to(ROOT), "written")
