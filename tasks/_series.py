"""Every figure of a worker. Imported only where figures are wanted: it takes 2 MB."""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Collection, Iterable
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.registry import CollectorRegistry

# What ages are held to is among them (domain/workers/groups.py).
_WAIT_SECONDS: Final = (
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
)
# Of a job in a batch of hundreds, its share.
_SERVICE_SECONDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1, 2.5, 5, 10, 30, 60),
)
_ATTEMPT_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
# It begins 45 seconds after the close (domain/governance/tallying.py).
_TALLY_SECONDS: Final = (60, 75, 90, 120, 180, 300, 600, 1800, 3600, 21_600, 86_400)
_BATCH_JOBS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)

OUTCOMES: Final = ("succeeded", "refused", "failed")
RINGS: Final = ("rung", "failed")
DELIVERIES: Final = ("delivered", "refused", "unanswered")


class Distribution(Histogram):
    """A histogram that takes hundreds at the price of the buckets they fall into."""

    def observe_all(self, amounts: Collection[float]) -> None:
        """Observe each of them."""
        self._sum.inc(sum(amounts))
        bounds = self._upper_bounds
        places = Tally([bisect_left(bounds, amount) for amount in amounts])
        for place, count in places.items():
            self._buckets[place].inc(count)

    def observe_times(self, amount: float, count: int) -> None:
        """Observe the same amount so many times."""
        self._sum.inc(amount * count)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(count)


class Series:
    """The figures, each of whose labels has few values."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.jobs = Counter(
            "coin_jobs",
            "Jobs that ended",
            ["kind", "outcome"],
            registry=registry,
        )
        self.retries = Counter(
            "coin_job_retries",
            "Attempts at jobs that failed and will be made again",
            ["kind"],
            registry=registry,
        )
        self.refusals = Counter(
            "coin_job_refusals", "Jobs refused, by why", ["code"], registry=registry
        )
        self.waits = Distribution(
            "coin_job_wait_seconds",
            "Time from a job's acceptance to when it was first begun",
            ["queue"],
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        self.services = Distribution(
            "coin_job_service_seconds",
            "Time a worker took for a job; of a batch, its share",
            ["kind"],
            buckets=_SERVICE_SECONDS,
            registry=registry,
        )
        self.batches = Histogram(
            "coin_batch_jobs",
            "Jobs applied by one transaction",
            ["queue"],
            buckets=_BATCH_JOBS,
            registry=registry,
        )
        self.operations = Counter(
            "coin_operations",
            "Ledger operations applied",
            ["application", "operation"],
            registry=registry,
        )
        self.doorbells = Counter(
            "coin_doorbells", "Doorbells rung", ["outcome"], registry=registry
        )
        self.deliveries = Histogram(
            "coin_webhook_attempt_seconds",
            "Time of an attempt to deliver a webhook",
            ["outcome"],
            buckets=_ATTEMPT_SECONDS,
            registry=registry,
        )
        self.tallies = Histogram(
            "coin_tally_seconds",
            "Time from the close of a vote to its result",
            buckets=_TALLY_SECONDS,
            registry=registry,
        )
        self.expired = Counter(
            "coin_jobs_expired", "Jobs not begun by their deadline", registry=registry
        )
        self.leases_lost = Counter(
            "coin_leases_lost",
            "Jobs taken back from workers that fell silent",
            registry=registry,
        )

    def begin(self, kinds: Iterable[str]) -> None:
        """Show from the start what else appears only when it happens.

        A counter that is first seen at 1 has not risen, as far as Prometheus knows.
        """
        for kind in kinds:
            self.retries.labels(kind)
            for outcome in OUTCOMES:
                self.jobs.labels(kind, outcome)
        for outcome in RINGS:
            self.doorbells.labels(outcome)
        for outcome in DELIVERIES:
            self.deliveries.labels(outcome)
