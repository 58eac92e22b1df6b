"""What is only so on RabbitMQ; every test here is run on it where one is named."""

import os
import re
import subprocess
import sys
from uuid import uuid4

import pytest
from amqp import Message
from amqp.exceptions import PreconditionFailed
from kombu import Connection

import celeryconfig
from controller.broker import BrokerAway
from controller.rabbitmq import RabbitBroker
from tests.cli.conftest import ROOT
from tests.waiting import eventually

URL = os.environ.get("TESTS_RABBITMQ_URL")

pytestmark = pytest.mark.skipif(not URL, reason="RABBITMQ_URL names no RabbitMQ")


@pytest.fixture
def channel(stack):
    with Connection(URL) as connection:
        yield connection.channel()


@pytest.mark.parametrize("queue", celeryconfig.QUEUES)
def test_its_queues_are_quorum_queues(channel, queue):
    """RabbitMQ refuses to declare a queue anew as another kind than it is."""
    with pytest.raises(PreconditionFailed, match=r"'quorum'"):
        channel.queue_declare(
            queue,
            durable=True,
            auto_delete=False,
            arguments={
                "x-queue-type": "classic",
                "x-max-length": 4 * celeryconfig.LANES_MAX,
            },
        )


def listening(channel, queue):
    return channel.queue_declare(queue, passive=True).consumer_count


@pytest.mark.parametrize("queue", celeryconfig.QUEUES)
def test_the_worker_listens_there(channel, queue):
    assert listening(channel, queue) == 1


@pytest.fixture
def unheard(channel):
    """A queue to which nobody listens."""
    name = f"unheard-{uuid4().hex}"
    channel.queue_declare(name, durable=True, auto_delete=False)
    yield name
    channel.queue_delete(name)


def test_the_controller_counts_what_is_ready(channel, unheard):
    for _ in range(3):
        channel.basic_publish(Message(b"{}"), routing_key=unheard)

    eventually(lambda: RabbitBroker(URL).messages([unheard]) == {unheard: 3})


def test_a_queue_that_is_missing_is_not_an_empty_one(stack):
    with pytest.raises(BrokerAway, match="a queue is missing"):
        RabbitBroker(URL).messages(["nobody declared this"])


@pytest.fixture
def coin(stack):
    """Start a command of the operator's on the stack's servers."""
    servers = {"DATABASE_URL": stack.endpoints["database"], "RABBITMQ_URL": URL}

    def run(*arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *arguments],
            cwd=ROOT,
            env={**os.environ, **servers},
            stdout=subprocess.PIPE,
            text=True,
        )

    return run


def test_the_doctor_finds_the_worker(coin):
    said, _ = coin("doctor", "--port", "0").communicate(timeout=30)

    assert "RabbitMQ answers" in said
    assert re.search(r"worker (ledger|outbound)-1-", said)


def test_a_host_may_run_another_worker(coin, channel):
    another = coin("worker", "--concurrency", "1")
    try:
        eventually(lambda: listening(channel, "ledger") == 2, within=30)
    finally:
        another.terminate()
        another.communicate(timeout=30)

    assert another.returncode == 0
