"""What was decided is found again, what is ordered stands, and one controller leads."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import scaling
from domain.db import create_engine
from domain.scaling import MODES
from domain.scaling.keeping import PAGE_MAX
from domain.settings import Settings
from tests.domain.scaling.deciding import TICK, make_action, record
from tests.factories import NOW, make_owner
from tests.waiting import eventually

MINUTE = timedelta(minutes=1)


@pytest.fixture
def group():
    """A group no other test has."""
    return make_owner("group")


# Actions


def test_an_action_is_found_by_its_number(session, group):
    (number,) = record(session, group, reason="because")

    assert scaling.find(session, number).reason == "because"
    assert scaling.find(session, number + 1_000_000) is None


def test_actions_since_a_time_come_oldest_first_and_are_of_one_group(session, group):
    ids = record(session, group, 4)
    record(session, make_owner("group"), 4)
    found = scaling.since(session, group, at=NOW + TICK)

    assert [action.id for action in found] == ids[1:]


def test_what_lasts_until_a_time_is_among_those_since(session, group):
    rolled = record(session, group, until=NOW + MINUTE, cycles=13)

    found = scaling.since(session, group, at=NOW + MINUTE)
    assert [action.id for action in found] == rolled


def test_history_is_newest_first_and_no_longer_than_asked(session, group):
    ids = record(session, group, 5)
    found = scaling.history(session, count=3, worker_group=group)

    assert [action.id for action in found] == ids[:1:-1]


def test_history_has_a_bound(session, group):
    record(session, group, PAGE_MAX + 1)
    found = scaling.history(session, count=10**6, worker_group=group)

    assert len(found) == PAGE_MAX


def test_history_of_moves_is_without_quiet_cycles(session, group):
    record(session, group)
    (up,) = record(session, group, desired=3, ordered=3)
    record(session, group, current=None, desired=None)
    found = scaling.history(session, count=9, worker_group=group, only_moves=True)

    assert [action.id for action in found] == [up]


def test_history_of_all_groups_has_those_of_each(session, group):
    ids = [*record(session, group), *record(session, make_owner("group"))]

    assert [action.id for action in scaling.history(session, count=2)] == ids[::-1]


def test_an_action_says_in_one_line_what_was_done_and_why():
    action = make_action(
        "ledger", desired=4, clamps=["memory allows 4"], result="told 4"
    )

    assert action.sentence == "ledger 2 → 4: as it was; memory allows 4; told 4"
    assert make_action("mail").sentence == "mail 2: as it was; nothing to do"
    unknown = make_action("mail", current=None, desired=None)
    assert unknown.sentence == "mail: as it was; nothing to do"


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_can_be_recorded(session, group, mode):
    assert record(session, group, mode=mode)


def test_no_other_mode_can(session, group):
    with pytest.raises(sa.exc.IntegrityError, match="known_mode"):
        record(session, group, mode="guessing")


# Orders


def order(session, group, size, *, at=NOW, until=None):
    return scaling.order(
        session, group, size, until=until, given_by="ada", reason="a fair", now=at
    )


def standing(session, group, at=NOW):
    found = scaling.orders(session, now=at).get(group)
    return None if found is None else found.size


def test_an_order_stands_until_it_is_over(session, group):
    order(session, group, 4, until=NOW + MINUTE)

    assert standing(session, group, NOW + MINUTE - TICK) == 4
    assert standing(session, group, NOW + MINUTE) is None


def test_an_order_without_an_end_stands_until_it_is_withdrawn(session, group):
    order(session, group, 4)
    later = standing(session, group, NOW + timedelta(days=400))
    ended = [scaling.withdraw(session, group, now=NOW + MINUTE) for _ in range(2)]

    assert (later, ended) == (4, [1, 0])
    assert standing(session, group, NOW + MINUTE) is None


def test_to_hold_is_an_order_without_a_size(session, group):
    order(session, group, None)

    found = scaling.orders(session, now=NOW)[group]
    assert (found.size, found.given_by, found.reason) == (None, "ada", "a fair")


def test_an_order_takes_the_place_of_the_one_before(session, group):
    order(session, group, 4)
    second = order(session, group, 2, at=NOW + TICK, until=NOW + MINUTE)

    assert scaling.orders(session, now=NOW + TICK)[group] is second
    # The first does not come back.
    assert standing(session, group, NOW + MINUTE) is None


def test_each_group_has_orders_of_its_own(session, group):
    other = make_owner("group")
    order(session, group, 4)
    order(session, other, 2)
    scaling.withdraw(session, other, now=NOW)

    assert (standing(session, group), standing(session, other)) == (4, None)


def test_no_workers_at_all_cannot_be_ordered(session, group):
    with pytest.raises(sa.exc.IntegrityError, match="some_worker"):
        order(session, group, 0)


# The leader


@pytest.fixture
def controllers(database_url):
    """Two sessions, each of a process of its own."""
    engines = [create_engine(Settings(database_url=database_url)) for _ in range(2)]
    opened = [Session(engine) for engine in engines]
    yield opened
    for session, engine in zip(opened, engines, strict=True):
        session.close()
        engine.dispose()


def lead(session):
    return scaling.lead(session, silent_seconds=60)


def test_one_leads_and_the_next_when_its_connection_has_ended(controllers):
    first, second = controllers
    led = [lead(first), lead(second), lead(first)]
    first.rollback()
    after_a_transaction = lead(second)
    first.get_bind().dispose()

    assert (led, after_a_transaction) == ([True, False, True], False)
    eventually(lambda: lead(second))
