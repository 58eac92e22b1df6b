"""Figures for Prometheus."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from domain.db import create_engine, session_factory
from domain.settings import Settings
from tests.api.calling import Caller, operation
from tests.factories import make_owner

SERIES = {
    "coin_http_request_seconds": "histogram",
    "coin_intake_flush_jobs": "histogram",
    "coin_intake_waiting_jobs": "gauge",
    "coin_intake_refused": "counter",
    "coin_doorbells": "counter",
    "coin_queue_depth_jobs": "gauge",
    "coin_queue_oldest_seconds": "gauge",
}


@pytest.fixture
def customer(new_database, new_caller):
    """One on a database of its own, where nobody else's jobs are queued."""
    with new_database() as url:
        engine = create_engine(Settings(database_url=url))
        sessions = session_factory(engine)
        yield new_caller(app=create_app(Settings(database_url=url)), sessions=sessions)
        engine.dispose()


def families(caller):
    text = caller.get("/metrics").text
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(caller, name, **labels):
    """Return the values of a series that has these labels."""
    family = families(caller)[name.removesuffix("_count").removesuffix("_total")]
    return [
        sample.value
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def test_every_documented_series_is_there(customer):
    customer.post("/ledger", operation(make_owner()))

    found = {name: family.type for name, family in families(customer).items()}

    assert found.items() >= SERIES.items()


def test_metrics_are_prometheus_text(stranger):
    answer = stranger.get("/metrics")

    assert answer.headers["Content-Type"].startswith("text/plain; version=")


def test_a_queues_depth_is_the_number_of_its_jobs(customer):
    for _ in range(3):
        customer.post("/ledger", operation("the-same-lane"))

    assert samples(customer, "coin_queue_depth_jobs", queue="ledger") == [3.0]


def test_the_age_of_the_oldest_job_grows(customer):
    customer.post("/ledger", operation("a"))

    first, second = (
        samples(customer, "coin_queue_oldest_seconds", queue="ledger")[0]
        for _ in range(2)
    )

    assert 0 <= first < second


def test_a_request_is_counted_by_its_route_not_by_its_path(customer):
    labels = {"method": "GET", "route": "/ledger/{owner_id}", "status": "200"}
    before = samples(customer, "coin_http_request_seconds_count", **labels)

    for _ in range(5):
        customer.get(f"/ledger/{make_owner()}")

    after = samples(customer, "coin_http_request_seconds_count", **labels)
    assert len(after) == 1
    assert after[0] - sum(before) == 5


def test_what_has_no_route_is_one_series(customer):
    for n in range(5):
        customer.get(f"/no/such/path/{n}")

    labels = {"method": "GET", "status": "404", "route": "(none)"}
    assert len(samples(customer, "coin_http_request_seconds_count", **labels)) == 1


def test_methods_nobody_knows_are_one_series(customer):
    for n in range(5):
        customer.raw(f"BREW{n}", "/ledger")

    methods = {
        sample.labels["method"]
        for sample in families(customer)["coin_http_request_seconds"].samples
    }
    assert "other" in methods
    assert not [method for method in methods if method.startswith("BREW")]


def test_what_was_stored_together_is_counted(customer):
    before = sum(samples(customer, "coin_intake_flush_jobs_count"))

    customer.post("/ledger", operation("a"))

    assert sum(samples(customer, "coin_intake_flush_jobs_count")) == before + 1


def test_without_the_database_there_are_no_queues_to_tell_of():
    """Missing data is never good news: no figure is not a depth of zero."""
    own = Caller(create_app(Settings(database_url="postgresql://x@127.0.0.1:9/x")))

    found = families(own)

    assert "coin_http_request_seconds" in found
    assert "coin_queue_depth_jobs" not in found
