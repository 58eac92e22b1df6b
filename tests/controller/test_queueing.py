"""Erlang's formula against its textbook values and against what it must never do."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.queueing import waiting_share, workers_for


@pytest.mark.parametrize(
    ("workers", "load", "share"),
    [
        (1, 0.5, 0.5),  # one server: the share of waiting is its use
        (2, 1.0, 1 / 3),
        (3, 2.0, 4 / 9),
        (10, 8.0, 0.409),
    ],
)
def test_waiting_has_the_values_of_the_textbooks(workers, load, share):
    assert waiting_share(workers, load) == pytest.approx(share, abs=5e-4)


def test_a_hundred_thousand_workers_neither_overflow_nor_cancel():
    assert 0 < waiting_share(100_000, 99_900.0) < 1


@given(
    rate=st.floats(0, 500),
    service=st.floats(0.001, 10),
    wait=st.floats(0.1, 60),
    most=st.integers(1, 100),
)
def test_as_many_work_as_there_is_work_unless_there_may_not_be(
    rate, service, wait, most
):
    workers = workers_for(rate, service, wait=wait, share=0.01, most=most)

    assert workers == most or workers > rate * service or rate * service == 0
    assert 0 <= workers <= most


@given(
    rate=st.floats(0.1, 100),
    more=st.floats(0, 100),
    service=st.floats(0.01, 1),
)
def test_more_arrivals_never_need_fewer_workers(rate, more, service):
    some = workers_for(rate, service, wait=2.0, share=0.01, most=500)
    others = workers_for(rate + more, service, wait=2.0, share=0.01, most=500)

    assert some <= others


def test_so_many_are_asked_for_that_few_wait_and_one_less_would_not_do():
    workers = workers_for(20, 0.2, wait=0.5, share=0.01, most=100)

    def late(count):
        return waiting_share(count, 4.0) * math.exp(-(count - 4.0) * 0.5 / 0.2)

    assert late(workers) <= 0.01 < late(workers - 1)


def test_nothing_to_do_needs_nobody():
    assert workers_for(0.0, 0.2, wait=2.0, share=0.01, most=10) == 0
