"""A run as tables: the same on the terminal and on the page."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from bench.cases import QUANTILES
from bench.plan import OWNERS
from bench.targets import SERVERS, Found, ballots_rate, memory, rate, targets

CASES = {
    "tpc_b": "pgbench TPC-B, 20 clients",
    "single_256": "single POST, 256 connections",
    "single_64": "single POST, 64 connections",
    "batch_100": "entries in batches of 100",
    "batch_1000": "entries in batches of 1,000",
    "nothing": "Falcon doing nothing",
    "synchronous": "one transaction a request",
    "task_per_write": "one Celery task a write",
}
OF_OWNERS = {f"owners_{owners}": f"single POST, {owners:,} owners" for owners in OWNERS}
# What took how long, and by which name it is measured.
LATENCIES = {
    "accepted": ("paced", "accept"),
    "from accepted to applied": ("paced", "applied"),
    "a lone request that waits": ("lone", "waited"),
}

_COUNTS = ("dead_tuples", "updates", "hot_updates", "vacuums", "autovacuums")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a head; all but the first `texts` columns are figures."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    texts: int = 1


def tables(found: Found) -> list[Table]:
    """Return every table of a run."""
    always = (_targets, _throughput, _owners, _latency, _memory, _storage)
    made = [table(found) for table in always]
    if "governance" in found:
        made += [_voting(found), _counting(found)]
    if "cases_stored" in found:
        made += [_growth(found), _claims(found)]
    return made


def _targets(found: Found) -> Table:
    rows = [(one.what, one.wanted, *one.judge(found)) for one in targets(found)]
    return Table(
        "targets", "Targets", ("target", "wanted", "measured", "reached"), rows, texts=4
    )


def _throughput(found: Found) -> Table:
    def row(name: str, title: str) -> tuple[str, ...]:
        figures = found["cases"][name]
        drain, p99 = figures.get("drain_seconds"), figures.get("accept_p99_ms")
        return (
            title,
            f"{rate(found, name):,.0f}",
            f"{rate(found, name) / rate(found, 'tpc_b'):.2f}",
            "" if p99 is None else f"{p99:,.0f}",
            "" if drain is None else f"{drain:.1f}",
        )

    head = ("what", "a second", "x TPC-B", "accept p99, ms", "drain, s")
    return Table(
        "throughput", "Throughput", head, [row(*case) for case in CASES.items()]
    )


def _owners(found: Found) -> Table:
    most = rate(found, f"owners_{OWNERS[-1]}")
    rates = [rate(found, f"owners_{owners}") for owners in OWNERS]
    rows = [
        (f"{owners:,}", f"{each:,.0f}", f"{each / most:.2f}")
        for owners, each in zip(OWNERS, rates, strict=True)
    ]
    head = ("owners", "a second", f"x {OWNERS[-1]:,}")
    return Table("owners", "Owners", head, rows)


def _latency(found: Found) -> Table:
    rows = [
        (title, *(f"{found['cases'][case][f'{name}_{q}_ms']:.1f}" for q in QUANTILES))
        for title, (case, name) in LATENCIES.items()
    ]
    load = f"{found['cases']['paced']['rate']:,.0f} a second"
    return Table(
        "latency", f"Latency at 70 % load ({load}), ms", ("what", *QUANTILES), rows
    )


def _memory(found: Found) -> Table:
    columns = [(when, way) for when in ("idle", "loaded") for way in ("pss", "rss")]

    def row(title: str, roles: Collection[str]) -> tuple[str, ...]:
        sizes = [memory(found, when, way, roles) for when, way in columns]
        return title, *("-" if size is None else f"{size:,.0f}" for size in sizes)

    roles = found["memory"]["idle"].keys()
    rows = [row(role, {role}) for role in roles]
    rows.append(row("without the servers", roles - SERVERS))
    words = {"pss": "once", "rss": "summed"}
    head = ("process", *(f"{when}, {words[way]}" for when, way in columns))
    return Table("memory", "Memory, MB", head, rows)


def _storage(found: Found) -> Table:
    sizes = found["storage_bytes_per_transfer"]
    rows = [(*name.split(": "), f"{size:.1f}") for name, size in sizes.items()]
    books = sum(v for name, v in sizes.items() if not name.startswith("jobs"))
    rows.append(("the transfer", "", f"{books:.0f}"))
    rows.append(("with its job", "", f"{sum(sizes.values()):.0f}"))
    head = ("table", "what", "bytes a write")
    return Table("storage", "Storage", head, rows, texts=2)


def _voting(found: Found) -> Table:
    def row(name: str, figures: dict[str, float]) -> tuple[str, ...]:
        return (
            "single ledger writes" if name == "ledger" else name,
            f"{figures['per_second']:,.0f}",
            f"{ballots_rate(found, name):.2f}",
            *(f"{figures[f'accept_{q}_ms']:,.1f}" for q in ("p50", "p99")),
        )

    seen = found["governance"]
    rows = [row(*kind) for kind in seen["ballots"].items()]
    read = (f"{seen['result'][f'read_{q}_ms']:,.1f}" for q in ("p50", "p99"))
    rows.append(("a counted result, read again", "", "", *read))
    head = ("what", "a second", "x ledger", "answer p50, ms", "p99, ms")
    return Table("voting", "Voting", head, rows)


def _counting(found: Found) -> Table:
    seen = found["governance"]
    counted = [
        *((f"{name}, a worker's jobs", one) for name, one in seen["jobs"].items()),
        *((f"{name}, the count alone", one) for name, one in seen["counts"].items()),
    ]
    rows = [
        (
            name,
            f"{figures['seconds']:.2f}",
            f"{figures['processor_seconds']:.2f}",
            f"{figures['memory_mb']:,.0f}",
        )
        for name, figures in counted
    ]
    head = ("what", "seconds", "of a processor", "peak MB")
    return Table("counting", "Counting votes", head, rows)


def _growth(found: Found) -> Table:
    rows = [
        (title, form.format(empty), form.format(stored), f"{stored / empty:.2f}")
        for title, form, empty, stored in _compared(found)
    ]
    stored = f"{found['stored_transfers'] / 1e6:g} million"
    head = ("what", "empty", stored, "ratio")
    return Table("growth", f"With {stored} transfers stored", head, rows)


def _compared(found: Found) -> Iterator[tuple[str, str, float, float]]:
    """Yield every figure that was taken on empty and on full books."""

    def both(title: str, form: str, case: str, key: str) -> tuple[Any, ...]:
        return title, form, found["cases"][case][key], found["cases_stored"][case][key]

    for case in found["cases_stored"]:
        if case in CASES | OF_OWNERS:
            yield both((CASES | OF_OWNERS)[case], "{:,.0f} /s", case, "per_second")
    yield both("70 % load", "{:,.0f} /s", "paced", "rate")
    for title, (case, name) in LATENCIES.items():
        for quantile in ("p50", "p99"):
            yield both(
                f"{title}, {quantile}", "{:.1f} ms", case, f"{name}_{quantile}_ms"
            )


def _claims(found: Found) -> Table:
    claims = found["claims"]

    def row(title: str, form: str, figure: Callable[[Found], float]) -> tuple[str, ...]:
        return title, *(form.format(figure(claims[when])) for when in ("empty", "full"))

    rows = [
        row("claim of 500, median", "{:.2f} ms", itemgetter("claim_p50_ms")),
        row("blocks it looks at", "{:,.0f}", itemgetter("claim_p50_blocks")),
        row("table", "{:,.1f} MB", lambda look: look["table_bytes"] / 1e6),
        *(
            row(name, "{:,.1f} MB", lambda look, n=name: look["index_bytes"][n] / 1e6)
            for name in sorted(claims["full"]["index_bytes"])
        ),
        *(row(name.replace("_", " "), "{:,}", itemgetter(name)) for name in _COUNTS),
    ]
    head = ("jobs table", "no job before", f"{claims['jobs']:,} came and went")
    return Table("claims", "Claims", head, rows)
