"""A doorbell costs little, says something once, and never fails the one who rings."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest
from redis import Redis, RedisError

import celeryconfig
from cli.servers import embedded_redis
from tasks import _doorbell, ping, ring
from tasks._doorbell import answer
from tests.databases import ROOT
from tests.tasks.conftest import forget

RING_SECONDS_MAX = 1.2


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory):
    """A Redis to stop and freeze."""
    with embedded_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


def messages(broker, queue="ledger"):
    return broker.llen(f"coin:{queue}")


def test_a_ring_is_one_message_in_the_queue(broker):
    assert ring("ledger", 1)
    assert messages(broker) == 1


def test_a_ring_names_its_lane(broker):
    ring("ledger", 41)
    message = broker.lindex("coin:ledger", 0).decode()

    assert '"ledger.drain"' in message
    assert "41" in message


def test_ringing_again_before_the_answer_says_nothing_new(broker):
    rung = [ring("ledger", 1) for _ in range(5)]

    assert rung == [True] * 5
    assert messages(broker) == 1


def test_ringing_at_once_from_many_threads_is_one_message(broker):
    with ThreadPoolExecutor(8) as pool:
        rung = list(pool.map(lambda _: ring("ledger", 1), range(32)))

    assert all(rung)
    assert messages(broker) == 1


def test_an_answered_doorbell_rings_anew(broker):
    ring("ledger", 1)
    answer("ledger", 1)
    ring("ledger", 1)

    assert messages(broker) == 2


def test_every_lane_and_queue_has_a_doorbell_of_its_own(broker):
    ring("ledger", 1)
    ring("ledger", 2)
    ring("maintenance", 1)

    assert (messages(broker), messages(broker, "maintenance")) == (2, 1)


def test_a_doorbell_lost_can_be_rung_again_after_two_seconds(broker):
    ring("ledger", 1)
    left = [broker.pttl(key) for key in broker.scan_iter("coin:rung:*")]

    assert len(left) == 1
    assert 0 < left[0] <= 2_000


def test_without_a_broker_nobody_is_told(monkeypatch):
    monkeypatch.setattr(celeryconfig, "broker_url", None)
    forget()

    assert ring("ledger", 1) is None
    answer("ledger", 1)


# A broker that is away


@contextmanager
def timed(most):
    began = time.monotonic()
    yield
    assert time.monotonic() - began < most


def point_at(monkeypatch, url):
    monkeypatch.setattr(celeryconfig, "broker_url", url)
    forget()


@contextmanager
def frozen(url):
    """Stop a server in its tracks; it still accepts connections."""
    with Redis.from_url(url) as client:
        process = psutil.Process(client.info("server")["process_id"])
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def refused():
    """Return the address of a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_a_broker_that_is_down_costs_no_time_and_raises_nothing(monkeypatch):
    point_at(monkeypatch, f"redis://{refused()}/0")

    for _ in range(3):
        with timed(RING_SECONDS_MAX):
            assert ring("ledger", 1) is False
        with timed(RING_SECONDS_MAX):
            answer("ledger", 1)


def test_a_frozen_broker_costs_a_second_at_most(monkeypatch, own_redis):
    point_at(monkeypatch, own_redis)
    ring("ledger", 1)
    with frozen(own_redis):
        for lane in (1, 2):
            with timed(RING_SECONDS_MAX):
                assert ring("ledger", lane) is False
            with timed(RING_SECONDS_MAX):
                answer("ledger", lane)


def test_a_broker_frozen_between_flag_and_message_costs_a_second_at_most(
    monkeypatch, own_redis
):
    point_at(monkeypatch, own_redis)
    ring("ledger", 1)  # opens the publisher's connection
    answer("ledger", 1)
    real = _doorbell._publisher()
    with frozen(own_redis):
        monkeypatch.setattr(_doorbell, "_flags", lambda: None)
        with timed(RING_SECONDS_MAX):
            assert ring("ledger", 1) is False
    monkeypatch.undo()
    real.close()


def test_a_broker_that_is_there_answers_a_ping():
    ping()


def test_a_broker_that_is_away_does_not_answer_a_ping(monkeypatch, own_redis):
    point_at(monkeypatch, f"redis://{refused()}/0")
    with timed(RING_SECONDS_MAX), pytest.raises(RedisError):
        ping()
    point_at(monkeypatch, own_redis)
    with frozen(own_redis), timed(RING_SECONDS_MAX), pytest.raises(RedisError):
        ping()


def test_a_broker_that_came_back_is_rung_again(monkeypatch, own_redis):
    point_at(monkeypatch, own_redis)
    with frozen(own_redis):
        ring("ledger", 3)
    with Redis.from_url(own_redis) as broker:
        broker.flushdb()
        ring("ledger", 3)

        assert messages(broker) == 1


def test_a_broker_that_forgot_everything_is_rung_again(broker):
    ring("ledger", 1)
    for key in broker.scan_iter("coin:*"):
        if key != b"coin:tests":
            broker.delete(key)
    ring("ledger", 1)

    assert messages(broker) == 1


RING_RABBITMQ = """
import time
from tasks import ring
began = time.monotonic()
print(ring("ledger", 1), time.monotonic() - began < {most})
"""


@pytest.mark.parametrize("silent", [False, True], ids=["down", "silent"])
def test_a_rabbitmq_that_is_away_costs_a_second_at_most(silent):
    """In a process of its own: which broker it is, is read once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        away = address if silent else refused()
        said = subprocess.run(
            [sys.executable, "-c", RING_RABBITMQ.format(most=RING_SECONDS_MAX)],
            env={**os.environ, "RABBITMQ_URL": f"amqp://guest:guest@{away}//"},
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
            timeout=30,
        ).stdout

    assert said.splitlines()[-1] == "False True"
