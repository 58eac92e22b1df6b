"""What a worker counts is what it did; and counting disturbs nothing."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

import celeryconfig
from domain.errors import Refused
from tasks import _figures, _series, ring
from tasks._registry import kinds
from tasks._series import Distribution, Series
from tasks.maintenance import reconcile
from tests.databases import ROOT
from tests.factories import make_claim, make_owner
from tests.tasks.conftest import forget
from tests.tasks.lanes import operation
from tests.tasks.test_posting import send

POST = "ledger.post_operation"
LONG = "ledger.long"
AMOUNTS = st.lists(st.floats(0, 5_000), max_size=50)


class Counted:
    """The figures of this process, read as Prometheus reads them."""

    def __init__(self):
        self.registry = CollectorRegistry()

    def __call__(self, name, **labels):
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def counted():
    """Figures are wanted, and nobody else's."""
    counted = Counted()
    _figures.use(Series(counted.registry))
    yield counted
    _figures.use(None)


@pytest.fixture
def owner():
    return make_owner()


# Short jobs


def test_jobs_of_a_batch_are_counted_by_kind_and_outcome(lane, owner, counted):
    names = ["CREDIT_ADD", "CREDIT_SPEND", "CREDIT_ADD"]
    lane.submit(*(lane.write(owner, name) for name in ["CREDIT_SPEND", *names]))
    lane.drain()

    assert counted("coin_jobs_total", kind=POST, outcome="succeeded") == 3
    assert counted("coin_jobs_total", kind=POST, outcome="refused") == 1
    assert counted("coin_job_refusals_total", code="insufficient_credits") == 1


def test_a_batch_is_one_observation_of_its_size(lane, owner, counted):
    lane.submit(*(lane.write(owner) for _ in range(20)))
    lane.drain()

    assert counted("coin_batch_jobs_count", queue="ledger") == 1
    assert counted("coin_batch_jobs_sum", queue="ledger") == 20


def test_every_job_is_one_observation_of_its_wait(lane, owner, counted):
    early = datetime.now(UTC) - timedelta(seconds=20)
    late = lane.write(owner)._replace(submitted_at=early)
    lane.submit(late, lane.write(owner), lane.write(owner))
    lane.drain()

    def waited(most):
        return counted("coin_job_wait_seconds_bucket", queue="ledger", le=most)

    assert [waited("10.0"), waited("30.0")] == [2, 3]
    assert 20 < counted("coin_job_wait_seconds_sum", queue="ledger") < 30


def test_a_clock_that_is_behind_does_not_make_waits_negative(lane, owner, counted):
    ahead = datetime.now(UTC) + timedelta(seconds=5)
    lane.submit(lane.write(owner)._replace(submitted_at=ahead))
    lane.drain()

    assert counted("coin_job_wait_seconds_sum", queue="ledger") == 0


def test_the_time_of_a_batch_is_shared_by_its_jobs(lane, owner, counted):
    lane.submit(*(lane.write(owner) for _ in range(10)))
    began = datetime.now(UTC)
    lane.drain()
    took = (datetime.now(UTC) - began).total_seconds()

    assert counted("coin_job_service_seconds_count", kind=POST) == 10
    assert 0 < counted("coin_job_service_seconds_sum", kind=POST) < took


def test_operations_are_counted_where_they_were_applied(lane, owner, counted):
    entries = [operation(owner), operation(owner, "CREDIT_SPEND"), operation(owner)]
    lane.submit(
        lane.job("ledger.post_batch", {"entries": entries, "atomic": False}),
        lane.write(owner, "SIGNUP_CREDIT"),
        lane.write(owner, "SIGNUP_CREDIT"),  # refused: once is enough
    )
    lane.drain()

    def applied(name):
        labels = {"application": "commons", "operation": name}
        return counted("coin_operations_total", **labels)

    names = ("CREDIT_ADD", "CREDIT_SPEND", "SIGNUP_CREDIT", "TRANSFER")
    assert [applied(name) for name in names] == [2, 1, 1, None]


def test_what_is_rolled_back_is_not_counted(lane, owner, counted, declare):
    """A batch is tried whole, then its halves: each transfer counts once."""

    def fail(_session, _claims, **_others):
        raise ValueError("bug")

    declare("ledger.failing", batch=fail)
    lane.submit(lane.write(owner), lane.job("ledger.failing"), lane.write(owner))
    lane.drain()

    labels = {"application": "commons", "operation": "CREDIT_ADD"}
    assert counted("coin_operations_total", **labels) == 2
    assert counted("coin_jobs_total", kind=POST, outcome="succeeded") == 2
    assert counted("coin_job_retries_total", kind="ledger.failing") == 1


# Long jobs


def test_a_long_job_is_counted_by_how_it_ends(lane, counted, declare):
    def run(_session, claim, **_others):
        if claim.payload:
            raise Refused("Not today.")
        return {}

    declare(LONG, long=run)
    lane.submit(lane.job(LONG), lane.job(LONG, {"refuse": True}))
    lane.drain()

    assert counted("coin_jobs_total", kind=LONG, outcome="succeeded") == 1
    assert counted("coin_jobs_total", kind=LONG, outcome="refused") == 1
    assert counted("coin_job_refusals_total", code="refused") == 1
    assert counted("coin_job_service_seconds_count", kind=LONG) == 2
    assert counted("coin_job_wait_seconds_count", queue="ledger") == 2


def test_a_job_that_fails_is_counted_as_failed_once(
    lane, counted, declare, monkeypatch
):
    def run(_session, _claim, **_others):
        raise ValueError("bug")

    declare(LONG, long=run)
    monkeypatch.setenv("ATTEMPTS_MAX", "3")
    forget()
    lane.submit(lane.job(LONG))
    for _ in range(4):
        lane.drain()
        lane.make_due()

    assert lane.states() == ["failed"]
    assert counted("coin_job_retries_total", kind=LONG) == 2
    assert counted("coin_jobs_total", kind=LONG, outcome="failed") == 1
    assert counted("coin_job_wait_seconds_count", queue="ledger") == 1


# The rest


def test_doorbells_are_counted_by_whether_the_broker_took_them(
    broker, counted, monkeypatch
):
    ring("ledger", 1)
    monkeypatch.setattr(celeryconfig, "broker_url", "redis://127.0.0.1:1/0")
    forget()
    ring("ledger", 1)

    assert counted("coin_doorbells_total", outcome="rung") == 1
    assert counted("coin_doorbells_total", outcome="failed") == 1


def test_where_there_is_no_broker_no_doorbell_fails(counted, monkeypatch):
    monkeypatch.setattr(celeryconfig, "broker_url", None)
    ring("ledger", 1)

    assert counted("coin_doorbells_total", outcome="failed") is None


def test_webhooks_are_counted_by_what_was_answered(receiver, counted):
    for status in (204, 500, 302):
        receiver.answer = (status, {}, b"")
        send(receiver.url)
    send("http://127.0.0.1:1/")

    def attempts(outcome):
        return counted("coin_webhook_attempt_seconds_count", outcome=outcome)

    assert [attempts(outcome) for outcome in _series.DELIVERIES] == [1, 2, 1]


def test_what_the_reconciler_finds_is_counted(lane, owner, sessions, counted):
    past = datetime.now(UTC) - timedelta(days=2)
    lane.submit(lane.write(owner, deadline=past), lane.write(owner, deadline=past))
    with sessions.begin() as session:
        found = reconcile(session, make_claim(), now=datetime.now(UTC))

    assert found["expired"] >= 2
    assert counted("coin_jobs_expired_total") == found["expired"]
    assert counted("coin_leases_lost_total") == found["taken_back"]


@given(AMOUNTS)
def test_many_observed_at_once_are_many_observed(amounts):
    registries = [CollectorRegistry(), CollectorRegistry()]
    one, other = (
        Distribution("d", "d", buckets=_series._WAIT_SECONDS, registry=registry)
        for registry in registries
    )
    one.observe_all(amounts)
    for amount in amounts:
        other.observe(amount)

    def told(registry):
        lines = generate_latest(registry).decode().splitlines()
        return [line for line in lines if "_sum" not in line and "created" not in line]

    assert told(registries[0]) == told(registries[1])
    assert registries[0].get_sample_value("d_sum") == pytest.approx(sum(amounts))


@given(st.floats(0, 5_000), st.integers(1, 1_000))
def test_one_observed_many_times_is_many_observed(amount, count):
    registries = [CollectorRegistry(), CollectorRegistry()]
    one, other = (
        Distribution("d", "d", buckets=_series._WAIT_SECONDS, registry=registry)
        for registry in registries
    )
    one.observe_times(amount, count)
    other.observe_all([amount] * count)

    for name in ("d_count", "d_sum"):
        found = [registry.get_sample_value(name) for registry in registries]
        assert found[0] == pytest.approx(found[1])


def test_what_may_fail_is_shown_before_it_has(counted):
    """Prometheus sees a counter rise only from a value it has seen."""
    _figures._series.begin(kinds)

    assert {
        counted("coin_jobs_total", kind=kind, outcome="failed") for kind in kinds
    } == {0}
    assert counted("coin_doorbells_total", outcome="failed") == 0
    assert counted("coin_webhook_attempt_seconds_count", outcome="refused") == 0
    assert counted("coin_jobs_expired_total") == 0


def test_figures_that_break_disturb_no_work(lane, owner, counted, monkeypatch):
    def full(*_amounts):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Distribution, "observe_all", full)
    lane.submit(lane.write(owner), lane.write(owner))
    lane.drain()

    assert lane.states() == ["succeeded", "succeeded"]
    assert {row.attempts for row in lane.rows()} == {1}
    assert not _figures.wanted()


def test_where_no_figures_are_wanted_the_library_is_not_even_imported():
    code = "import sys, tasks; sys.exit('prometheus_client' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
