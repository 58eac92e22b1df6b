"""What is measured: each case is one short run that returns its figures."""

import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from itertools import count
from typing import Any

from bench import servers, tpcb
from bench.load import Load, Seen
from bench.stack import ROOT, Stack

Figures = dict[str, float]

_seeds = count(1)
_GRACE_SECONDS = 60.0
LONE_REQUESTS = 100
PACED_SHARE = 0.7


def load(stack: Stack, seconds: float, **options: Any) -> Seen:
    """Run the load generator in a process of its own."""
    wanted = Load(
        **{"url": stack.api, "key": stack.key, "seconds": seconds} | options,
        seed=next(_seeds),
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", json.dumps(asdict(wanted))],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=seconds + _GRACE_SECONDS,
    )
    return Seen(**json.loads(done.stdout))


def tpc_b(address: str, seconds: float) -> Figures:
    """Measure pgbench's TPC-B."""
    return {"per_second": tpcb.measure(address, seconds)}


def applied(stack: Stack, seconds: float, **options: Any) -> Figures:
    """Send writes as fast as they are taken; count what was applied, drain included."""
    stack.drained()
    before = _finished(stack)
    began = time.perf_counter()
    seen = load(stack, seconds, **options)
    accepted_at = time.perf_counter()
    stack.drained()
    ended = time.perf_counter()
    entries = (_finished(stack) - before) * max(1, options.get("batch", 0))
    _expect(seen, "202")
    return {
        "per_second": entries / (ended - began),
        "accepted_per_second": len(seen.latencies)
        * max(1, options.get("batch", 0))
        / seen.seconds,
        "drain_seconds": ended - accepted_at,
        **_latencies("accept", seen),
    }


def _finished(stack: Stack) -> int:
    return int(
        stack.value(
            "SELECT count(*) FROM jobs WHERE application IS NOT NULL"
            " AND state IN ('succeeded', 'refused')"
        )
    )


def _latencies(name: str, seen: Seen) -> Figures:
    ordered = sorted(seen.latencies)
    return {
        f"{name}_p50_ms": ordered[len(ordered) // 2] * 1e3,
        f"{name}_p99_ms": ordered[len(ordered) * 99 // 100] * 1e3,
    }


def _expect(seen: Seen, status: str) -> None:
    if set(seen.statuses) != {status}:
        raise RuntimeError(f"expected {status} alone: {seen.statuses}")


def paced(stack: Stack, seconds: float, peak: float) -> Figures:
    """Send at 70 % of the peak; take accept times and times from accept to applied."""
    stack.drained()
    since = stack.value("SELECT max(position) FROM jobs")
    seen = load(stack, seconds, rate=peak * PACED_SHARE)
    stack.drained()
    _expect(seen, "202")
    p50, p99 = stack.row(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms),"
        " percentile_cont(0.99) WITHIN GROUP (ORDER BY ms) FROM ("
        "  SELECT extract(epoch FROM finished_at - submitted_at) * 1000 AS ms"
        "  FROM jobs WHERE position > :since AND application IS NOT NULL) AS taken",
        since=since,
    )
    return {
        "rate": peak * PACED_SHARE,
        **_latencies("accept", seen),
        "applied_p50_ms": float(p50),
        "applied_p99_ms": float(p99),
    }


def lone(stack: Stack, seconds: float) -> Figures:
    """Send one request at a time that waits for its outcome, on an idle system."""
    seen = load(stack, seconds, connections=1, wait=5, rate=LONE_REQUESTS / 10)
    _expect(seen, "201")
    return _latencies("waited", seen)


def nothing(stack: Stack, seconds: float) -> Figures:
    """Measure Falcon answering 202 without doing anything."""
    with servers.api(stack, "nothing", "-k", "gevent") as address:
        seen = load(stack, seconds, url=address)
    _expect(seen, "202")
    return {"per_second": len(seen.latencies) / seen.seconds}


def synchronous(stack: Stack, seconds: float) -> Figures:
    """Measure one transaction inside each request."""
    options = ("-k", "gthread", "--threads", "32")
    with servers.api(stack, "synchronous", *options) as address:
        seen = load(stack, seconds, url=address)
    done = seen.statuses.get("201", 0) + seen.statuses.get("409", 0)
    return {"per_second": done / seen.seconds}


def task_per_write(stack: Stack, seconds: float) -> Figures:
    """Measure one Celery task for each write, until every one is applied."""
    before = int(stack.value("SELECT count(*) FROM transfers"))
    module, queue = "bench.designs.task_per_write", "task_per_write"
    options = ("-k", "gthread", "--threads", "32")
    with (
        servers.celery_worker(stack, module, queue),
        servers.api(stack, queue, *options) as address,
    ):
        # Its worker needs longer for a second's requests than a second.
        began = time.perf_counter()
        seen = load(stack, seconds, url=address, connections=64, rate=1_000)
        _until_still(stack)
        ended = time.perf_counter() - _STILL_SECONDS
    _expect(seen, "202")
    done = int(stack.value("SELECT count(*) FROM transfers")) - before
    return {"per_second": done / (ended - began)}


_STILL_SECONDS = 2.0


def _until_still(stack: Stack) -> None:
    deadline = time.monotonic() + _GRACE_SECONDS
    last = -1
    while time.monotonic() < deadline:
        now = int(stack.value("SELECT count(*) FROM transfers"))
        if now == last:
            return
        last = now
        time.sleep(_STILL_SECONDS)


def medians(rounds: list[Figures]) -> Figures:
    """Return each figure's median over the rounds."""
    return {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
