"""What is measured: each case is one short run that returns its figures."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import count
from typing import Any

from bench import servers, tpcb
from bench.load import Load, Seen
from bench.stack import ROOT, Stack

Figures = dict[str, float]

_seeds = count(1)
_GRACE_SECONDS = 60.0
LONE_RATE = 10.0
PACED_SHARE = 0.7
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


def load(stack: Stack, seconds: float, **options: Any) -> Seen:
    """Run the load generator in a process of its own."""
    wanted = Load(
        **{"url": stack.api, "key": stack.key, "seconds": seconds} | options,
        seed=next(_seeds),
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", json.dumps(asdict(wanted))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        # Ctrl-C reaches us alone, and we end it.
        process_group=0,
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
    last = _last_job(stack)
    seen = load(stack, seconds, **options)
    stack.drained()
    _expect(seen, "202")
    count, finished_at = _finished(stack, since=last)
    taken = finished_at - seen.began
    entries = max(1, options.get("batch", 0))
    return {
        "per_second": count * entries / taken,
        "accepted_per_second": len(seen.latencies) * entries / seen.seconds,
        "drain_seconds": max(0.0, taken - seen.seconds),
        **quantiles("accept", seen.latencies),
    }


# Ids are in the order of time, and the index on them spares a look at all that is
# stored, which would be most of a run on full books.
def _last_job(stack: Stack) -> str:
    return str(stack.value("SELECT id FROM jobs ORDER BY id DESC LIMIT 1"))


def _finished(stack: Stack, *, since: str) -> tuple[int, float]:
    """Return how many jobs are finished, and the time of day the last one was."""
    counted = (
        "SELECT count(*), extract(epoch FROM max(finished_at)) FROM jobs"
        " WHERE id > CAST(:since AS uuid)"
        " AND application IS NOT NULL AND state IN ('succeeded', 'refused')"
    )
    ((count, finished_at),) = stack.rows(counted, since=since)
    return int(count), float(finished_at)


def quantiles(name: str, seconds: Sequence[float]) -> Figures:
    """Return the quantiles of a series in milliseconds, named for what it is."""
    ordered = sorted(seconds)
    return {
        f"{name}_{quantile}_ms": ordered[int(len(ordered) * share)] * 1e3
        for quantile, share in QUANTILES.items()
    }


def _expect(seen: Seen, *statuses: str) -> None:
    if not seen.statuses.keys() <= set(statuses):
        raise RuntimeError(f"expected {statuses} alone: {seen.statuses}")


def paced(stack: Stack, seconds: float, peak: float) -> Figures:
    """Send at 70 % of the peak; take accept times and times from accept to applied."""
    stack.drained()
    last = _last_job(stack)
    seen = load(stack, seconds, rate=peak * PACED_SHARE)
    stack.drained()
    _expect(seen, "202")
    taken = stack.rows(
        "SELECT extract(epoch FROM finished_at - submitted_at) FROM jobs"
        " WHERE id > CAST(:since AS uuid) AND application IS NOT NULL",
        since=last,
    )
    return {
        "rate": peak * PACED_SHARE,
        **quantiles("accept", seen.latencies),
        **quantiles("applied", [float(seconds) for (seconds,) in taken]),
    }


def lone(stack: Stack, seconds: float) -> Figures:
    """Send one request at a time that waits for its outcome, on an idle system."""
    seen = load(stack, seconds, connections=1, wait=5, rate=LONE_RATE)
    _expect(seen, "201", "409")
    return quantiles("waited", seen.latencies)


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
