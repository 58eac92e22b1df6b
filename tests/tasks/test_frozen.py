"""A worker that is frozen in the middle of a batch does not keep its lane for ever."""

import threading

import pytest

from domain.jobs import claims
from tasks import ledger
from tests.factories import make_owner
from tests.tasks.lanes import operation
from tests.waiting import eventually

# One that fails alone would count as an attempt of its own.
pytestmark = pytest.mark.parametrize("count", [1, 20])


@pytest.fixture
def freezing(declare, monkeypatch):
    """Post to the ledger, but say nothing for a while in the first batch's middle."""
    monkeypatch.setattr(claims, "_SILENT_MS", 200)
    entered, leave = threading.Event(), threading.Event()

    def post(session, batch, *, lane, now):
        first = not entered.is_set()
        entered.set()
        if first:
            assert leave.wait(30)
        return ledger.post(session, batch, lane=lane, now=now)

    declare("ledger.freezing", batch=post)
    return entered, leave


def test_what_a_frozen_worker_held_is_applied_by_another_and_only_once(
    lane, freezing, count
):
    entered, leave = freezing
    owner = make_owner()
    lane.submit(*(lane.job("ledger.freezing", operation(owner)) for _ in range(count)))
    frozen = threading.Thread(target=lane.drain)
    frozen.start()
    assert entered.wait(10)

    eventually(lambda: lane.drain() or lane.counts() == {"succeeded": count})
    leave.set()
    frozen.join(30)

    assert {row.attempts for row in lane.rows()} == {1}
    assert lane.balance(owner) == (10 * count, count)


def test_one_that_was_frozen_and_alone_applies_its_batch_itself(lane, freezing, count):
    entered, leave = freezing
    owner = make_owner()
    lane.submit(*(lane.job("ledger.freezing", operation(owner)) for _ in range(count)))
    frozen = threading.Thread(target=lane.drain)
    frozen.start()
    assert entered.wait(10)
    eventually(lambda: _is_free(lane))
    leave.set()
    frozen.join(30)

    assert {(row.state, row.attempts) for row in lane.rows()} == {("succeeded", 1)}
    assert lane.balance(owner) == (10 * count, count)


def _is_free(lane):
    with lane._sessions() as session:
        return claims.hold_lane(session, queue="ledger", lane=lane.number)
