"""Many who ask the same at once: one asks, all of them know."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from api.credentials import Trusted
from api.governance.ballots import KnownSecrecy
from api.together import Together
from domain.governance.secrecy import Secrecy
from domain.ids import uuid7
from domain.principals import Principal
from tests.waiting import eventually

MANY = 32
VOTE = uuid7()
SECONDS = 10


class Question:
    """Takes as long as it is held, and counts how often it was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = 0
        self.held = threading.Event()
        self.error = None

    def __call__(self, *_about, **_more):
        self.asked += 1
        assert self.held.wait(SECONDS)
        if self.error:
            raise self.error
        return self.answer


@pytest.fixture
def question():
    question = Question(Principal(uuid7(), "commons", frozenset()))
    yield question
    question.held.set()


@pytest.fixture
def pool(question):
    with ThreadPoolExecutor(MANY) as pool:
        yield pool
        question.held.set()


def asked_at_once(pool, question, ask):
    """Have many ask while the first one still does; return what became of each."""
    begun = threading.Barrier(MANY + 1)

    def one():
        begun.wait(SECONDS)
        return ask()

    answers = [pool.submit(one) for _ in range(MANY)]
    begun.wait(SECONDS)
    eventually(lambda: question.asked)
    question.held.set()
    return [answer.exception(SECONDS) or answer.result() for answer in answers]


def test_all_get_the_answer_of_one(pool, question):
    together = Together()

    found = asked_at_once(pool, question, lambda: together("a", question))

    assert found == [question.answer] * MANY
    # Who came only after it was answered asked again.
    assert question.asked < MANY


def test_all_are_told_of_its_failure(pool, question):
    together, question.error = Together(), TimeoutError("slow")

    found = asked_at_once(pool, question, lambda: together("a", question))

    assert all(isinstance(one, TimeoutError) for one in found)
    assert question.asked < MANY


def test_a_failure_is_not_kept(question):
    together, question.error = Together(), TimeoutError("slow")
    question.held.set()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            together("a", question)
    question.error = None

    assert together("a", question)
    assert question.asked == 3


def test_other_questions_are_asked_meanwhile(pool, question):
    together = Together()
    first = pool.submit(together, "a", question)
    eventually(lambda: question.asked)

    assert together("b", lambda: "at once") == "at once"
    assert not first.done()


def test_a_credential_of_many_requests_is_looked_up_once(pool, question):
    trusted = Trusted(question)

    found = asked_at_once(pool, question, lambda: trusted("one key"))

    assert found == [question.answer] * MANY
    assert question.asked == 1


def test_how_a_vote_is_cast_is_looked_up_once(pool, question, monkeypatch):
    question.answer = Secrecy(sealed=True, longest=7, paid=False, settled=True)
    monkeypatch.setattr("api.governance.ballots.secrecy_of", question)
    known = KnownSecrecy(nullcontext)

    found = asked_at_once(pool, question, lambda: known.of(VOTE))

    assert found == [question.answer] * MANY
    assert question.asked == 1
