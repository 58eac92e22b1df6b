"""A whole life: started, written to, interrupted, started again on the same data."""

import json
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.faults.lent import lent
from tests.cli.conftest import new_folder
from tests.end_to_end.wire import at_once
from tests.factories import make_owner

pytestmark = pytest.mark.long

WRITES = 600
OWNERS = 10
DONE_SECONDS = 60
# It prints this instead of logging it, whatever it is told.
CELERYS_OWN = {"worker: Warm shutdown (MainProcess)"}


class Life:
    """What was seen of two runs on one data directory."""

    def __init__(self):
        self.owners = [make_owner() for _ in range(OWNERS)]
        self.said = []
        self.endpoints = []

    def first_run(self, stack):
        """Write, and interrupt while most of it is still queued."""
        self.endpoints.append(stack.endpoints)
        with stack.client() as client:
            answers = at_once(
                lambda n: self._write(client, n), range(WRITES), threads=16
            )
            self.accepted = [said["id"] for status, _, said in answers if status == 202]
            processes = stack.everyone()
            # The client's sixteen connections stay open.
            self.exit_code = stack.stop(signal.SIGINT)
        self.left = [process for process in processes if process.is_running()]
        self.left_endpoints = (stack.data / "endpoints.json").exists()
        self.said += stack.children_said()

    def second_run(self, stack):
        """Let the rest be applied, and look."""
        self.endpoints.append(stack.endpoints)
        with stack.client() as client:
            stack.wait_until_idle(client, within=DONE_SECONDS)
            self.balances = [client.balance(owner) for owner in self.owners]
            some = self.accepted[::20]
            self.states = {client.get(f"/jobs/{one}")["state"] for one in some}
            self.trial = client.get("/ledger/trial-balance")
        stack.stop(signal.SIGINT)
        self.said += stack.children_said()

    def _write(self, client, number):
        body = {
            "owner_id": self.owners[number % OWNERS],
            "operation": "CREDIT_ADD",
            "nonce": str(number),
        }
        return client.ask("POST", "/ledger", body, X_Request_ID=f"life-{number}")

    def events(self, *roles):
        """Return what the processes of these roles logged."""
        return [
            json.loads(line)
            for role, line in self.said
            if role.strip() in roles and line not in CELERYS_OWN
        ]


@pytest.fixture(scope="module")
def life(start, given):
    life = Life()
    with new_folder() as name, lent(given) as servers:
        # Celery warns about running as root before it asks how to log.
        variables = {**servers, "PYTHONWARNINGS": "ignore"}
        for run in (life.first_run, life.second_run):
            stack = start(Path(name) / "data", "--no-flower", **variables)
            try:
                run(stack)
            finally:
                stack.stop()
    return life


def test_an_interrupt_ends_it_well(life):
    assert (life.exit_code, life.left, life.left_endpoints) == (0, [], False)


def test_clients_that_keep_connections_do_not_keep_it_from_stopping(life):
    """gunicorn ended by itself: killed for being late, it would not say so."""
    ends = [one for one in life.events("web") if one["event"].startswith("Shutting")]

    assert len(ends) == len(life.endpoints)


def test_what_was_accepted_before_the_interrupt_is_applied_after_it(life):
    assert len(life.accepted) == WRITES
    assert life.balances == [10 * WRITES // OWNERS] * OWNERS
    assert life.states == {"succeeded"}


def test_the_books_of_both_runs_balance(life):
    assert (life.trial["sum"], life.trial["transfers"]) == (0, WRITES)


def test_the_key_of_a_data_directory_stays(life):
    first, second = life.endpoints

    assert second["key"] == first["key"]


def test_every_line_of_our_processes_is_one_event_in_json(life):
    logged = life.events("web", "workers")

    fields = {"event", "level", "timestamp"}
    assert len(logged) > WRITES
    assert [event for event in logged if not fields <= event.keys()] == []


def test_every_request_has_one_line_with_its_id_and_its_job(life):
    lines = [
        (event["request"], event["job"])
        for event in life.events("web")
        if event["event"] == "request" and event["request"].startswith("life-")
    ]

    assert len(lines) == WRITES
    assert {job for _, job in lines} == set(life.accepted)


def test_what_was_applied_is_logged(life):
    applied = [
        event["jobs"]
        for event in life.events("workers")
        if event["event"] == "batch_applied" and event["queue"] == "ledger"
    ]

    assert sum(applied) == WRITES


def test_nobody_logs_a_secret(life):
    """Keys and passwords of both runs, in anything any process wrote."""
    everything = "\n".join(line for _, line in life.said)
    keys = {key for found in life.endpoints for key in found["keys"].values()}
    urls = {found[one] for found in life.endpoints for one in ("database", "redis")}
    # Servers of yours may do without.
    passwords = {urlsplit(url).password for url in urls if url} - {None}

    assert [secret for secret in keys | passwords if secret in everything] == []


def test_nothing_is_logged_as_an_error(life):
    logged = life.events("web", "workers")

    assert [one for one in logged if one["level"] not in {"info", "warning"}] == []
