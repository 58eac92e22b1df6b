"""Messages counted in a real broker, and a broker that does not answer."""

import json
import socket
import time

import pytest
import redis

from controller import choosing
from controller.broker import BrokerAway, RedisBroker
from controller.rabbitmq import RabbitBroker
from domain.settings import Settings

QUEUES = ("ledger", "mail")


@pytest.fixture
def client(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture
def silent():
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_all_lists_of_a_queue_count_and_what_is_not_acknowledged_too(client, redis_url):
    client.rpush("coin:ledger", "a", "b")
    client.rpush("coin:ledger\x06\x166", "c")
    client.rpush("ledger", "another application's")
    client.hset("coin:unacked", "tag", json.dumps([{}, "", "mail"]))

    assert RedisBroker(redis_url).messages(QUEUES) == {"ledger": 3, "mail": 1}


def test_more_that_is_not_acknowledged_than_is_read_is_a_fault_and_not_nothing(
    client, redis_url
):
    message = json.dumps([{}, "", "mail"])
    client.hset("coin:unacked", mapping={str(tag): message for tag in range(1_001)})

    with pytest.raises(BrokerAway, match="Redis: 1001 messages are not acknowledged"):
        RedisBroker(redis_url).messages(QUEUES)


def test_an_empty_broker_has_no_messages(client, redis_url):
    assert RedisBroker(redis_url).messages(QUEUES) == {"ledger": 0, "mail": 0}


@pytest.mark.parametrize("broker", [RedisBroker, RabbitBroker])
def test_a_broker_that_is_not_there_is_away_at_once_and_its_address_untold(broker):
    scheme = "redis" if broker is RedisBroker else "amqp"
    with pytest.raises(BrokerAway) as raised:
        broker(f"{scheme}://coin:hush@127.0.0.1:1/0").messages(QUEUES)

    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("broker", [RedisBroker, RabbitBroker])
def test_a_broker_that_says_nothing_is_not_waited_for(broker, silent):
    scheme = "redis" if broker is RedisBroker else "amqp"
    began = time.monotonic()
    with pytest.raises(BrokerAway):
        broker(f"{scheme}://127.0.0.1:{silent}/0").messages(QUEUES)

    assert time.monotonic() - began < 4


def test_the_broker_is_the_one_the_settings_name():
    def chosen(**urls):
        return choosing.broker(Settings(database_url="postgresql://x/y", **urls))

    assert chosen() is None
    assert isinstance(chosen(redis_url="redis://x"), RedisBroker)
    both = chosen(redis_url="redis://x", rabbitmq_url="amqp://x")
    assert isinstance(both, RabbitBroker)
