"""Flower shows the worker and what it does."""

import json
from urllib.request import urlopen

from tests.factories import make_owner
from tests.waiting import eventually


def flower(stack, path):
    with urlopen(stack.endpoints["flower"] + path, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def test_flower_shows_the_workers_and_their_queues(stack):
    def queues():
        return [
            {queue["name"] for queue in worker.get("active_queues", [])}
            for worker in flower(stack, "/api/workers?refresh=1").values()
        ]

    # Beside one that was killed before, perhaps.
    for of_one in ({"governance", "ledger", "maintenance"}, {"mail", "webhooks"}):
        eventually(lambda wanted=of_one: wanted in queues(), within=20)


def test_flower_shows_the_tasks(stack, client):
    body = {"owner_id": make_owner(), "operation": "CREDIT_ADD", "nonce": "flower"}
    client.done("/ledger", body)

    def names():
        return {task["name"] for task in flower(stack, "/api/tasks").values()}

    eventually(lambda: "ledger.drain" in names(), within=20)
