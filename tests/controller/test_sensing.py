"""What is missing from a sample is named, and decides nothing by itself."""

import os

import pytest

from controller.broker import RedisBroker
from controller.host import HostReader, HostUnknown
from tests.controller.steered import steered


def test_without_a_broker_the_job_table_says_what_waits(own_database):
    with steered(own_database, broker=RedisBroker("redis://127.0.0.1:1/0")) as one:
        one.arrive(40, seconds_ago=4)
        decided = one.turn()

        assert decided.ordered > 1
        assert one.records()[0].inputs["faults"] == ["Redis: ConnectionError"]


def test_without_a_host_that_tells_growth_is_by_one(own_database):
    nowhere = HostReader(folder="/nowhere/at/all")
    with pytest.raises(HostUnknown):
        nowhere.read([])
    with steered(own_database, host=nowhere) as one:
        one.arrive(40, seconds_ago=4)
        sizes = [one.turn().ordered for _ in range(3)]

        assert sizes == [2, 3, 4]
        first = one.records()[0]
        assert first.inputs["faults"] == ["host: FileNotFoundError"]
        assert first.clamps == ["memory, which is unknown, allows 2"]


def test_a_stretch_nobody_watched_is_not_counted_as_one_of_five_seconds(own_database):
    with steered(own_database) as one:
        one.turn()
        one.arrive(100)
        decided = one.turn(seconds=600)

        # They came in ten minutes of which only the last seconds were measured.
        assert decided.inputs["rate"] == 0
        assert decided.inputs["ready"] == 100


def test_the_host_is_measured_with_the_workers_on_it():
    host = HostReader().read([os.getpid(), 2**22 - 1])

    assert 0 < host.memory < 100
    assert 0 < host.disk < 100
    assert host.cores == os.cpu_count()
    assert host.workers == 2
    assert 10_000_000 < host.worker_bytes < 2_000_000_000


def test_a_worker_is_weighed_once_a_minute():
    reader = HostReader()
    first = reader.read([os.getpid()])
    held = bytearray(50_000_000)
    held[::4096] = b"x" * len(held[::4096])

    assert reader.read([os.getpid()]).worker_bytes == first.worker_bytes
