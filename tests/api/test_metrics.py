"""Figures for Prometheus."""

import time
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

import domain.db
from api import backlog
from api.app import create_app
from domain import workers
from domain.db import create_engine, session_factory
from domain.ids import uuid7
from domain.settings import Settings
from domain.workers import Presence
from tests.api.calling import Caller, operation
from tests.factories import make_owner

SERIES = {
    "coin_http_request_seconds": "histogram",
    "coin_intake_flush_jobs": "histogram",
    "coin_intake_flush_seconds": "histogram",
    "coin_submissions": "counter",
    "coin_operations_accepted": "counter",
    "coin_database_pool_connections": "gauge",
    "coin_database_pool_timeouts": "counter",
    "coin_intake_waiting_jobs": "gauge",
    "coin_intake_refused": "counter",
    "coin_doorbells": "counter",
    "coin_queue_depth_jobs": "gauge",
    "coin_queue_oldest_seconds": "gauge",
}


@pytest.fixture
def own_sessions(new_database):
    """A database of the test's own, where nobody else's jobs are queued."""
    with new_database() as url:
        engine = create_engine(Settings(database_url=url))
        yield session_factory(engine)
        engine.dispose()


@pytest.fixture
def customer(new_caller, own_sessions):
    """One on that database."""
    url = own_sessions.kw["bind"].url.render_as_string(hide_password=False)
    return new_caller(app=create_app(Settings(database_url=url)), sessions=own_sessions)


@pytest.fixture
def read_each_time(monkeypatch):
    """The database is asked whenever somebody asks for figures."""
    monkeypatch.setattr(backlog, "READ_SECONDS", 0)


def families(caller):
    text = caller.get("/metrics").text
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(caller, name, **labels):
    """Return the values of a series that has these labels."""
    # After some thousand tests there are as many series: to read all takes a second.
    lines = caller.get("/metrics").text.splitlines(keepends=True)
    text = "".join(line for line in lines if line.startswith((f"{name}{{", f"{name} ")))
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def test_every_documented_series_is_there(customer):
    customer.post("/ledger", operation(make_owner()))

    found = {name: family.type for name, family in families(customer).items()}

    assert found.items() >= SERIES.items()


def test_what_a_community_has_is_told_by_its_state(customer):
    found = {
        name: {one.labels["state"] for one in families(customer)[name].samples}
        for name in ("coin_tallies", "coin_council_seats", "coin_bounties")
    }

    assert found == {
        "coin_tallies": {"running", "finished"},
        "coin_council_seats": {"held", "vacant"},
        "coin_bounties": {"open", "full", "expired", "closed"},
    }


def test_metrics_are_prometheus_text(stranger):
    answer = stranger.get("/metrics")

    assert answer.headers["Content-Type"].startswith("text/plain; version=")


def test_a_queues_depth_is_the_number_of_its_jobs(customer):
    for _ in range(3):
        customer.post("/ledger", operation("the-same-lane"))

    def depth(**labels):
        return samples(customer, "coin_queue_depth_jobs", **labels)

    assert depth(queue="ledger", state="ready") == [3.0]
    assert depth(queue="ledger", state="delayed") == [0.0]
    assert depth(queue="mail", state="ready") == [0.0]


@pytest.mark.usefixtures("read_each_time")
def test_the_age_of_the_oldest_job_grows(customer):
    customer.post("/ledger", operation("a"))

    first, second = (
        samples(customer, "coin_queue_oldest_seconds", queue="ledger")[0]
        for _ in range(2)
    )

    assert 0 <= first < second


def test_the_database_is_read_once_a_second_however_many_ask(customer):
    customer.post("/ledger", operation("a"))

    began = time.monotonic()
    ages = {
        samples(customer, "coin_queue_oldest_seconds", queue="ledger")[0]
        for _ in range(10)
    }

    assert len(ages) <= 2 + (time.monotonic() - began) / backlog.READ_SECONDS


def test_every_queue_has_the_age_that_its_alarm_is_held_to(customer):
    def target(queue, group):
        labels = {"queue": queue, "group": group}
        return samples(customer, "coin_queue_target_seconds", **labels)

    assert target("ledger", "ledger") == [2.0]
    assert target("webhooks", "outbound") == [10.0]


@pytest.mark.usefixtures("read_each_time")
def test_workers_are_those_that_were_heard_of_lately(customer, own_sessions):
    def crew():
        return [
            samples(customer, "coin_workers", group="ledger", state=state)[0]
            for state in ("alive", "busy")
        ]

    before = crew()
    with own_sessions.begin() as session:
        for busy in (0, 1):
            presence = Presence(
                *(uuid7(), "w", "ledger", "h", 1, 1, busy),
                started_at=datetime.now(UTC),
            )
            workers.beat(session, presence, [], now=datetime.now(UTC))

    assert (before, crew()) == ([0, 0], [2, 1])


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


def test_a_submission_is_counted_by_what_became_of_it(customer):
    def count(outcome):
        labels = {"kind": "ledger.post_operation", "outcome": outcome}
        return sum(samples(customer, "coin_submissions_total", **labels))

    outcomes = ("accepted", "replayed", "conflict")
    before = [count(outcome) for outcome in outcomes]
    owner = make_owner()
    for name in ("CREDIT_ADD", "CREDIT_ADD", "CREDIT_ADD", "SIGNUP_CREDIT"):
        customer.post("/ledger", operation(owner, name, nonce="the same"))

    after = [count(outcome) for outcome in outcomes]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 2, 1]


def test_operations_accepted_are_counted_by_type(customer):
    def count(name):
        labels = {"application": "commons", "operation": name}
        return sum(samples(customer, "coin_operations_accepted_total", **labels))

    names = ("CREDIT_ADD", "CREDIT_SPEND", "TRANSFER", "REVERSAL")
    before = [count(name) for name in names]
    alice, bob = make_owner(), make_owner()
    transfer = {"from": alice, "to": bob, "amount": 1, "nonce": "t"}
    entries = [
        *(operation(alice), operation(bob)),
        *(operation(bob, "CREDIT_SPEND"), transfer),
    ]
    customer.post("/ledger/batches", {"entries": entries, "atomic": False})
    for _ in range(2):  # the second is a replay
        customer.post("/ledger/transfers", {**transfer, "nonce": "u"})

    after = [count(name) for name in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1, 2, 0]


def test_balances_are_counted_where_no_copies_are_kept_too(customer):
    def reads():
        labels = {"what": "balance", "outcome": "not_kept"}
        return sum(samples(customer, "coin_cache_reads_total", **labels))

    before = reads()
    for path in ("/ledger/alice", "/balance/alice", "/ledger/@issuance"):
        customer.get(path)

    assert reads() - before == 3


def test_connections_in_use_are_counted_until_they_are_given_back(
    stranger, api_database, engines
):
    def pool(state):
        return samples(stranger, "coin_database_pool_connections", state=state)[0]

    create_app(Settings(database_url=api_database))
    before = pool("in_use")
    with engines[-2].connect(), engines[-2].connect():
        during = pool("in_use")

    assert (during - before, pool("in_use") - before) == (2, 0)
    assert pool("most") == 12


def test_who_waits_in_vain_for_a_connection_is_counted(
    customer, api_database, engines, monkeypatch
):
    def timeouts():
        return samples(customer, "coin_database_pool_timeouts_total")[0]

    monkeypatch.setattr(domain.db, "_POOL_WAIT_SECONDS", 0.05)
    few = create_app(Settings(database_url=api_database, database_pool_size=1))
    before = timeouts()
    with engines[-2].connect():
        answer = Caller(few, customer.key).get("/ledger/someone")

    assert answer.status_code == 503
    assert timeouts() - before == 1


def test_what_was_stored_together_is_counted(customer):
    before = sum(samples(customer, "coin_intake_flush_jobs_count"))

    customer.post("/ledger", operation("a"))

    assert sum(samples(customer, "coin_intake_flush_jobs_count")) == before + 1


def test_without_the_database_there_are_no_queues_to_tell_of():
    """Missing data is never good news: no figure is not a depth of zero."""
    own = Caller(create_app(Settings(database_url="postgresql://x@127.0.0.1:9/x")))

    found = families(own).keys()

    assert "coin_http_request_seconds" in found
    assert not found & {"coin_queue_depth_jobs", "coin_workers"}
