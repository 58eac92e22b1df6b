"""Who asks is told in time, and asks no more than a few at once."""

import threading
import time

import pytest

from controller.targets.patience import Deadline, Patience
from tests.waiting import eventually

SECONDS = 0.05


def test_an_answer_in_time_is_returned():
    assert Patience(5).ask(lambda deadline: deadline.left() > 4)


def test_what_fails_fails_where_it_was_asked():
    with pytest.raises(ZeroDivisionError):
        Patience(5).ask(lambda _: 1 / 0)


def test_who_is_late_is_not_waited_for():
    over = threading.Event()
    began = time.monotonic()

    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        Patience(SECONDS).ask(lambda _: over.wait())

    assert SECONDS <= time.monotonic() - began < 5
    over.set()


def test_who_was_given_up_learns_of_it_at_the_next_step():
    told = []

    def question(deadline):
        try:
            while True:
                time.sleep(min(SECONDS, deadline.left()))
        except TimeoutError:
            told.append("stopped")
            raise

    with pytest.raises(TimeoutError):
        Patience(SECONDS).ask(question)

    assert eventually(lambda: told) == ["stopped"]


def test_no_more_than_four_are_at_it_until_one_ends():
    over, patience = threading.Event(), Patience(SECONDS)
    for _ in range(4):
        with pytest.raises(TimeoutError, match="no answer"):
            patience.ask(lambda _: over.wait())
    with pytest.raises(TimeoutError, match="4 earlier requests have not ended"):
        patience.ask(lambda _: over.wait())

    over.set()

    def answers():
        try:
            return patience.ask(lambda _: "yes")
        except TimeoutError:
            return None

    assert eventually(answers) == "yes"


def test_a_deadline_that_is_over_leaves_nothing():
    with pytest.raises(TimeoutError):
        Deadline(0).left()
