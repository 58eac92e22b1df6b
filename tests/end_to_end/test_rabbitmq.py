"""The write path on RabbitMQ, for whoever has one: RABBITMQ_URL says where."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import new_folder
from tests.end_to_end.wire import at_once
from tests.factories import make_owner

# Where tests/conftest.py put it, so that nothing else takes it for its broker.
URL = os.environ.get("TESTS_RABBITMQ_URL")
SPENDERS = 60
WRITES = 1_000

pytestmark = pytest.mark.skipif(not URL, reason="RABBITMQ_URL names no RabbitMQ")


@pytest.fixture(scope="module")
def client(start):
    with new_folder() as name:
        stack = start(Path(name) / "data", "--no-flower", RABBITMQ_URL=URL)
        with stack.client() as client:
            yield client
        stack.stop()


def operation(owner, name="CREDIT_ADD"):
    return {"owner_id": owner, "operation": name, "nonce": make_owner("nonce")}


def test_it_is_ready(client):
    status, _, said = client.ask("GET", "/status/ready")

    assert (status, said["checks"]["broker"]) == (200, "ok")


def test_sixty_spenders_of_twenty_credits_leave_none_and_forty_refusals(client):
    owner = make_owner()
    for _ in range(2):
        client.done("/ledger", operation(owner))

    answers = at_once(
        lambda _: client.done("/ledger", operation(owner, "CREDIT_SPEND"))[0],
        range(SPENDERS),
        threads=SPENDERS,
    )

    assert (answers.count(201), answers.count(409)) == (20, 40)
    assert client.balance(owner) == 0


def test_a_thousand_writes_are_applied(client):
    owner = make_owner()

    answers = at_once(
        lambda _: client.done("/ledger", operation(owner))[0], range(WRITES), threads=64
    )

    assert set(answers) == {201}
    assert client.get(f"/ledger/{owner}")["version"] == WRITES
