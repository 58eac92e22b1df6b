"""A corner of a server that others use, and nothing of it left behind."""

import os
import uuid

import psycopg2
import pytest
from kombu import Connection
from redis import Redis

from bench.faults import virtual_host
from bench.faults.lent import lent, redis
from bench.faults.virtual_host import Occupied, borrowed

RABBITMQ = os.environ.get("TESTS_RABBITMQ_URL")

on_rabbitmq = pytest.mark.skipif(not RABBITMQ, reason="RABBITMQ_URL names no RabbitMQ")


def test_nothing_is_lent_where_nothing_is_given():
    with lent({"DATABASE_URL": "", "PATH": "/bin"}) as variables:
        assert variables == {}


def test_a_database_is_made_and_dropped(servers):
    with lent({"DATABASE_URL": servers["database"]}) as variables:
        psycopg2.connect(variables["DATABASE_URL"]).close()

    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(variables["DATABASE_URL"])


def test_a_redis_database_is_nobody_elses_and_emptied(servers):
    given = {"REDIS_URL": servers["redis"]}
    with (
        lent(given) as mine,
        lent(given) as another,
        Redis.from_url(mine["REDIS_URL"]) as client,
    ):
        client.set("mine", 1)

    assert mine != another
    with Redis.from_url(mine["REDIS_URL"]) as client:
        assert client.dbsize() == 0


def test_a_redis_database_in_use_is_left_alone(servers):
    with redis(servers["redis"]) as url, Redis.from_url(url) as client:
        client.delete("coin:lent")  # as one that never was claimed
        client.set("somebodys", 1)
        with redis(servers["redis"]) as another:
            assert another != url
        assert client.get("somebodys") == b"1"


@pytest.fixture
def queue(monkeypatch):
    """A name that stands for all of ours, so that no stack is waited for."""
    name = f"coin-test-{uuid.uuid4().hex}"
    monkeypatch.setattr(virtual_host, "_LOCK", f"{name}-lock")
    monkeypatch.setattr(virtual_host, "_MARK", f"{name}-mark")
    monkeypatch.setattr(virtual_host, "_queues", lambda: (name,))
    monkeypatch.setattr(virtual_host, "_CELERYS_OWN", ())
    monkeypatch.setattr(virtual_host, "_LOCKED_SECONDS", 0.5)
    return name


@pytest.fixture
def channel(queue):
    with Connection(RABBITMQ) as connection, connection.channel() as channel:
        yield channel
        channel.queue_delete(queue)


def declare(channel, name):
    channel.queue_declare(name, durable=True, auto_delete=False)


def exists(name):
    with Connection(RABBITMQ) as connection:
        return virtual_host._has_queue(connection, name)


@on_rabbitmq
def test_queues_made_in_a_virtual_host_are_removed(channel, queue):
    with borrowed(RABBITMQ):
        declare(channel, queue)

    assert not exists(queue)
    assert not exists(virtual_host._MARK)


@on_rabbitmq
def test_a_virtual_host_with_a_strangers_queue_is_left_alone(channel, queue):
    declare(channel, queue)

    with pytest.raises(Occupied, match=f"stranger's queue {queue}"):
        borrowed(RABBITMQ).__enter__()

    assert exists(queue)


@on_rabbitmq
def test_a_strangers_exchange_outlives_what_is_made_beside_it(channel, queue):
    channel.exchange_declare(queue, "fanout")

    with borrowed(RABBITMQ):
        pass

    with Connection(RABBITMQ) as connection:
        assert virtual_host._has_exchange(connection, queue)
    channel.exchange_delete(queue)


@on_rabbitmq
def test_what_a_killed_run_left_is_removed_first(channel, queue):
    declare(channel, queue)
    declare(channel, virtual_host._MARK)

    with borrowed(RABBITMQ):
        assert not exists(queue)


@on_rabbitmq
def test_a_virtual_host_holds_one_stack_at_a_time(queue):
    with (
        borrowed(RABBITMQ),
        pytest.raises(Occupied, match="another run"),
        borrowed(RABBITMQ),
    ):
        pass
