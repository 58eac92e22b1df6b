"""The doorbell: rung beside the requests, seldom, and whatever happens to a ring."""

import threading
import time
from itertools import pairwise

from api.intake import RUNG_SECONDS, Doorbell
from tests.waiting import eventually


def test_a_slow_broker_delays_nobody():
    broker = threading.Event()
    bell = Doorbell(lambda _queue, _lane: broker.wait(2))
    began = time.monotonic()

    for lane in range(10):
        bell("ledger", lane)

    took = time.monotonic() - began
    broker.set()
    assert took < 1


def test_a_lane_that_waits_to_be_rung_for_is_rung_for_once():
    broker, rung = threading.Event(), []

    def ring(queue, lane):
        rung.append(lane)
        return broker.wait(10)

    bell = Doorbell(ring)
    bell("ledger", 0)
    eventually(lambda: rung == [0])
    for _ in range(100):
        bell("ledger", 1)
    broker.set()
    bell("ledger", 2)

    eventually(lambda: 2 in rung)
    assert rung.count(1) == 1


def test_rings_that_follow_one_another_keep_a_distance():
    rung = []

    def ring(queue, lane):
        rung.append(time.monotonic())
        return True

    bell = Doorbell(ring)

    def rings():
        bell("ledger", 0)
        return len(rung) > 3

    eventually(rings)
    assert min(late - early for early, late in pairwise(rung)) >= RUNG_SECONDS


def test_a_ring_that_fails_in_an_unknown_way_does_not_silence_the_bell():
    rung = []

    def ring(queue, lane):
        rung.append(lane)
        if lane == 0:
            raise RuntimeError("a bug of the broker's library")
        return True

    bell = Doorbell(ring)
    bell("ledger", 0)
    eventually(lambda: rung == [0])

    bell("ledger", 1)

    eventually(lambda: rung == [0, 1])
