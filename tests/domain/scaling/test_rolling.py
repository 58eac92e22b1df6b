"""Quiet hours take little room: what was said again is one row, and no move is lost."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from domain import scaling
from domain.scaling import ControllerAction, keeping
from domain.scaling.keeping import KEPT_FOR, QUIET_FOR, WHOLE_FOR
from tests.domain.scaling.deciding import TICK, record
from tests.factories import NOW, make_owner

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# Long over, and the beginning of an hour.
THEN = NOW - 5 * HOUR
AN_HOUR = QUIET_FOR // TICK


@pytest.fixture(autouse=True)
def only_ours(session):
    session.execute(sa.delete(ControllerAction))


@pytest.fixture
def group():
    return make_owner("group")


def rows(session, group):
    session.expire_all()
    return scaling.since(session, group, at=NOW - 1_000 * DAY)


def cycles(session, group):
    return [action.cycles for action in rows(session, group)]


def test_a_quiet_hour_is_one_row_from_its_first_to_its_last(session, group):
    ids = record(session, group, AN_HOUR)
    first, last = NOW, NOW + (AN_HOUR - 1) * TICK
    freed = scaling.roll_up(session, now=NOW + DAY)

    (row,) = rows(session, group)
    assert freed == AN_HOUR - 1
    assert (row.id, row.cycles) == (ids[0], AN_HOUR)
    assert (row.at, row.until) == (first, last)


def test_hours_stay_apart(session, group):
    record(session, group, 2 * AN_HOUR, at=THEN)
    scaling.roll_up(session, now=NOW)

    assert cycles(session, group) == [AN_HOUR] * 2


def test_what_policies_look_back_over_is_left_whole(session, group):
    record(session, group, 20, at=NOW - WHOLE_FOR)

    assert scaling.roll_up(session, now=NOW) == 0


def test_a_move_is_kept_and_parts_what_was_before_it_from_what_was_after(
    session, group
):
    record(session, group, 10, at=THEN)
    moved = record(session, group, at=THEN + 10 * TICK, desired=3, ordered=3)
    record(session, group, 10, at=THEN + 11 * TICK, current=3, desired=3)
    scaling.roll_up(session, now=NOW)

    found = rows(session, group)
    assert [action.cycles for action in found] == [10, 1, 10]
    assert [found[1].id] == moved


def test_every_time_a_target_was_told_is_kept(session, group):
    """Told the same again, it did not do it the first time."""
    record(session, group, 3, at=THEN, desired=3, ordered=3)

    assert scaling.roll_up(session, now=NOW) == 0


def test_a_size_that_is_only_recommended_is_one_row_while_it_stays_the_same(
    session, group
):
    fields = {"mode": "dry_run", "current": 2}
    record(session, group, 10, at=THEN, desired=4, **fields)
    record(session, group, 10, at=THEN + 10 * TICK, desired=5, **fields)
    scaling.roll_up(session, now=NOW)

    found = scaling.history(session, count=9, worker_group=group, only_moves=True)
    assert [(row.desired, row.cycles) for row in found] == [(5, 10), (4, 10)]


@pytest.mark.parametrize(
    "changed",
    [
        {"mode": "held"},
        {"policy": "classic"},
        {"target": "none"},
        {"current": 3, "desired": 3},
        {"current": None, "desired": None},
        {"desired": None},
        {"controller": "there:2"},
    ],
)
def test_what_says_something_else_is_a_row_of_its_own(session, group, changed):
    record(session, group, 3, at=THEN)
    record(session, group, 3, at=THEN + 3 * TICK, **changed)
    record(session, group, 3, at=THEN + 6 * TICK)
    scaling.roll_up(session, now=NOW)

    assert cycles(session, group) == [3, 3, 3]


def test_what_nobody_could_measure_is_quiet_as_well(session, group):
    record(session, group, 9, at=THEN, current=None, desired=None, need=None)
    scaling.roll_up(session, now=NOW)

    assert cycles(session, group) == [9]


def test_cycles_under_different_orders_stay_apart(session, group):
    for number in range(2):
        order = scaling.order(
            session, group, 2, until=None, given_by="ada", reason="", now=THEN
        )
        at = THEN + 3 * number * TICK
        record(session, group, 3, at=at, mode="ordered", order_id=order.id)
    scaling.roll_up(session, now=NOW)

    assert cycles(session, group) == [3, 3]


def test_groups_that_are_recorded_in_turn_are_rolled_up_each(session, group):
    other = make_owner("group")
    for number in range(5):
        for one in (group, other):
            record(session, one, at=THEN + number * TICK)
    scaling.roll_up(session, now=NOW)

    assert (cycles(session, group), cycles(session, other)) == ([5], [5])


def test_to_roll_up_again_changes_nothing(session, group):
    record(session, group, 50, at=THEN)
    scaling.roll_up(session, now=NOW)
    once = cycles(session, group)

    assert scaling.roll_up(session, now=NOW) == 0
    assert cycles(session, group) == once


def test_rolled_up_little_by_little_it_comes_to_the_same(session, group):
    """Every five minutes or so, in the middle of an hour."""
    record(session, group, 2 * AN_HOUR, at=THEN)
    now = THEN + WHOLE_FOR
    while now < NOW:
        now += timedelta(seconds=301)
        scaling.roll_up(session, now=now)

    assert cycles(session, group) == [AN_HOUR] * 2


def test_however_long_nobody_did_it_all_of_it_is_rolled_up(session, group):
    """Over hours without a controller, too."""
    for days in (1, 2, 3, 4, 5, 30):
        record(session, group, 50, at=THEN - days * DAY)
    freed = scaling.roll_up(session, now=NOW)

    assert (freed, cycles(session, group)) == (6 * 49, [50] * 6)


def test_what_was_decided_a_year_ago_is_forgotten(session, group):
    record(session, group, at=NOW - KEPT_FOR - SECOND, desired=3, ordered=3)
    kept = record(session, group, at=NOW - KEPT_FOR + SECOND, desired=3, ordered=3)
    scaling.roll_up(session, now=NOW)

    assert [row.id for row in rows(session, group)] == kept


def test_a_busy_year_reaches_less_far_back(session, group, monkeypatch):
    """Moves are rows of their own, however many there were."""
    monkeypatch.setattr(keeping, "KEPT_MAX", 10)
    ids = record(session, group, 30, at=THEN, desired=3, ordered=3)
    scaling.roll_up(session, now=NOW)

    assert [row.id for row in rows(session, group)] == ids[-10:]
