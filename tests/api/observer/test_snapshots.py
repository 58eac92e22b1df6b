"""However many ask, one looks; nobody waits for long, and nothing old is shown."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import OperationalError

from api.errors import Problem
from api.observer import snapshots
from api.observer.snapshots import Snapshot
from tests.waiting import eventually

SECONDS = 10
MANY = 32
# What one look at each asks of the database.
ASKED = {
    "/api/system_state": 3,
    "/api/controller_decisions": 1,
    "/api/governance_state": 3,
    "/api/audit_summary": 1,
}


class Look:
    """A look that takes as long as it is held, and counts."""

    def __init__(self):
        self.count = 0
        self.may = threading.Event()
        self.may.set()
        self.broken = False

    def __call__(self):
        self.count += 1
        assert self.may.wait(SECONDS)
        if self.broken:
            raise OperationalError("SELECT secret", {}, Exception("at 10.1.2.3"))
        return self.count


@pytest.fixture
def look():
    look = Look()
    yield look
    look.may.set()


@pytest.fixture
def pool(look):
    with ThreadPoolExecutor(MANY) as pool:
        yield pool
        look.may.set()


def content(snapshot):
    return snapshot().content


def test_many_who_ask_at_once_have_one_look(look, pool):
    snapshot = Snapshot(look)
    look.may.clear()
    asked = [pool.submit(content, snapshot) for _ in range(MANY)]
    eventually(lambda: look.count)
    look.may.set()

    assert {one.result(SECONDS) for one in asked} == {1}
    assert look.count == 1


def test_what_was_found_is_good_for_about_a_second(look, monkeypatch):
    monkeypatch.setattr(snapshots, "FRESH_SECONDS", 0.2)
    snapshot = Snapshot(look)

    assert [content(snapshot) for _ in range(3)] == [1, 1, 1]
    assert eventually(lambda: content(snapshot) == 2)


def test_while_one_looks_again_the_others_get_what_was_found_before(
    look, pool, always_anew
):
    snapshot = Snapshot(look)
    assert content(snapshot) == 1
    look.may.clear()
    looking = pool.submit(content, snapshot)
    eventually(lambda: look.count == 2)

    assert content(snapshot) == 1
    assert not looking.done()
    look.may.set()
    assert looking.result(SECONDS) == 2


def test_what_is_too_old_is_not_shown_while_one_looks_for_long(
    look, pool, monkeypatch, always_anew
):
    monkeypatch.setattr(snapshots, "_USABLE_SECONDS", 0.0)
    monkeypatch.setattr(snapshots, "_WAIT_SECONDS", 0.05)
    snapshot = Snapshot(look)
    assert content(snapshot) == 1
    look.may.clear()
    looking = pool.submit(content, snapshot)
    eventually(lambda: look.count == 2)

    with pytest.raises(Problem) as refused:
        snapshot()

    assert refused.value.status_code == 503
    look.may.set()
    assert looking.result(SECONDS) == 2


def test_a_database_that_is_away_is_asked_no_oftener(look):
    look.broken = True
    snapshot = Snapshot(look)

    for _ in range(3):
        with pytest.raises(Problem) as refused:
            snapshot()

    assert look.count == 1
    assert (refused.value.status_code, refused.value.name) == (
        *(503, "database_unavailable"),
    )
    assert refused.value.headers["Retry-After"] == "1"
    assert "secret" not in refused.value.description
    assert "10.1.2.3" not in refused.value.description


def test_a_database_that_is_back_is_noticed(look, monkeypatch):
    monkeypatch.setattr(snapshots, "FRESH_SECONDS", 0.1)
    snapshot = Snapshot(look)
    look.broken = True
    with pytest.raises(Problem):
        snapshot()
    look.broken = False

    def answered():
        try:
            return content(snapshot)
        except Problem:
            return None

    assert eventually(answered) == 2


def test_a_bug_is_not_remembered(look):
    def break_once():
        if look() == 1:
            raise ValueError("a bug")
        return "well"

    snapshot = Snapshot(break_once)
    with pytest.raises(ValueError, match="a bug"):
        snapshot()

    assert content(snapshot) == "well"


@pytest.mark.parametrize("path", ASKED)
def test_parallel_requests_have_one_set_of_questions(node, path):
    with node.statements() as asked, ThreadPoolExecutor(MANY) as pool:
        answers = list(pool.map(node.get, [path] * MANY))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(asked) == ASKED[path]


def test_limits_do_not_multiply_the_questions(node):
    with node.statements() as asked:
        for limit in range(1, 101):
            node.get("/api/controller_decisions", params={"limit": str(limit)})

    assert len(asked) == 2
