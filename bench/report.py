"""The report of a run: its JSON, and its tables on a terminal."""

import json
from pathlib import Path

from bench.stack import ROOT
from bench.tables import Table, tables
from bench.targets import Found


def path(name: str) -> Path:
    """Return where a report of that name is."""
    return ROOT / "bench" / "results" / f"{name}.json"


def read(name: str) -> Found:
    """Return a report as it was written."""
    found: Found = json.loads(path(name).read_text())
    return found


def table(found: Found) -> str:
    """Return the run as tables for a terminal."""
    return "\n".join(_aligned(one) for one in tables(found))


def _aligned(table: Table) -> str:
    columns = zip(table.head, *table.rows, strict=True)
    widths = [max(map(len, column)) for column in columns]

    def line(cells: tuple[str, ...]) -> str:
        return "  ".join(
            cell.ljust(width) if number < table.texts else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()

    return "\n".join(["", table.title, *map(line, [table.head, *table.rows])])
