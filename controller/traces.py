"""Traces: what arrived at a group of queues, and how long each job took a worker."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.tick import Tick

_COLUMNS: Final = ("seconds", "arrivals", "service_seconds")
SPANS_MAX: Final = 1_000_000


class BadTrace(ValueError):
    """A file that is no trace; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """So many seconds in which jobs of one kind arrive at one rate."""

    seconds: float
    rate: float
    service: float
    # Workers that stop working at its beginning and are still counted for a minute.
    deaths: int = 0


Trace = Sequence[Span]


def read(path: Path) -> list[Span]:
    """Read a trace: CSV with the columns seconds, arrivals and service_seconds."""
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if missing := set(_COLUMNS) - set(rows.fieldnames or ()):
            raise BadTrace(f"{path}: no column {', '.join(sorted(missing))}")
        return list(_spans(path, rows))


def _spans(path: Path, rows: Iterable[dict[str, str]]) -> Iterator[Span]:
    for number, row in enumerate(rows, start=2):
        if number > SPANS_MAX:
            raise BadTrace(f"{path}: more than {SPANS_MAX} lines")
        try:
            seconds, arrivals, service = (float(row[name]) for name in _COLUMNS)
        except (TypeError, ValueError):
            raise BadTrace(f"{path}, line {number}: three numbers are due") from None
        if not (0 < seconds < float("inf") and arrivals >= 0 and service > 0):
            raise BadTrace(f"{path}, line {number}: seconds and service are above 0")
        yield Span(seconds=seconds, rate=arrivals / seconds, service=service)


def trace_of(ticks: Sequence[Tick], *, service_seconds: float) -> list[Span]:
    """Return ticks as a trace; a job takes what those finished with it took.

    Where nothing finished, what finished last holds, at first `service_seconds`.
    """
    return [
        Span(seconds=seconds, rate=arrivals / seconds, service=service)
        for seconds, arrivals, service in _rows(ticks, service_seconds)
    ]


def write(path: Path, ticks: Sequence[Tick], *, service_seconds: float) -> None:
    """Write ticks as a file that is read as the trace they are."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS)
        rows.writerows(_rows(ticks, service_seconds))


def _rows(
    ticks: Sequence[Tick], service: float
) -> Iterator[tuple[float, float, float]]:
    for tick in ticks:
        if tick.finished and tick.busy:
            service = tick.busy / tick.finished
        if tick.seconds > 0:
            # Six places are enough, and a job takes some time in any case.
            yield tick.seconds, tick.arrived, max(1e-6, round(service, 6))


def jobs(trace: Trace) -> float:
    """Return about how many jobs arrive."""
    return sum(span.seconds * span.rate for span in trace)
