"""Where a proposal is: whatever happened when, it is one state, and never goes back."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.governance.lifecycle import (
    FINAL,
    Event,
    Facts,
    State,
    state,
    timeline,
)
from domain.governance.parameters import Deed, Parameters
from tests.factories import NOW

HOUR = timedelta(hours=1)
# Which state may follow which, as the clock goes on and nothing else happens.
BY_THE_CLOCK = {
    State.DISCUSSION: {State.FROZEN},
    State.FROZEN: {State.VOTING},
    State.VOTING: {
        *(State.CLOSED, State.FAILED, State.QUEUED, State.PASSED, State.VETOED),
        *(State.EXECUTED, State.EXPIRED),
    },
    State.QUEUED: {State.PASSED, State.EXPIRED},
}
MOMENTS = st.integers(0, 24 * 60).map(lambda hours: NOW + hours * HOUR)
HOURS = st.integers(0, 24 * 10)


@st.composite
def parameters(draw):
    deed = draw(st.sampled_from(Deed))
    ranked = deed is Deed.SEATS
    timelock = draw(HOURS)
    return Parameters(
        about="anything",
        method="scottish-stv" if ranked else "yes-no",
        quorum="1/2",
        discussion_hours=draw(HOURS),
        freeze_hours=draw(HOURS),
        voting_days=draw(st.integers(1, 30)),
        extension_hours=draw(HOURS),
        timelock_hours=timelock,
        grace_hours=draw(st.integers(1, 240)),
        deed=deed,
        veto=timelock > 0,
        replaceable=ranked,
        early_close=not ranked and draw(st.booleans()),
    )


@st.composite
def facts(draw):
    events = draw(st.dictionaries(st.sampled_from(Event), MOMENTS))
    passed = draw(st.booleans()) if Event.TALLIED in events else None
    return Facts(events, passed)


def in_time(found, rules, moments):
    return [state(found, rules, now=now) for now in sorted(moments)]


@given(facts(), parameters(), st.lists(MOMENTS, min_size=2, max_size=12))
def test_whatever_happened_a_state_is_followed_only_by_those_it_may_be(
    found, rules, moments
):
    """Those between may be passed by unseen: what follows is followed up."""
    for before, after in pairwise(in_time(found, rules, moments)):
        assert after in reachable(before)


def reachable(one):
    return {one}.union(*map(reachable, BY_THE_CLOCK.get(one, ())))


@given(facts(), parameters(), MOMENTS, MOMENTS)
def test_nothing_follows_an_end(found, rules, one, other):
    before, after = in_time(found, rules, (one, other))

    assert before not in FINAL or after is before


@given(facts(), parameters())
def test_times_come_in_their_order(found, rules):
    times = timeline(found, rules)
    if Event.OPENED not in found.events:
        assert times is None
        return

    moments = [
        *(times.opened, times.frozen, times.voting),
        *(times.closes, times.executable, times.expires),
    ]
    assert moments == sorted(moments)


@given(parameters(), HOURS)
def test_the_timelock_is_whole_however_late_the_count_came(rules, hours):
    opened = {Event.OPENED: NOW}
    decided = timeline(Facts(opened), rules).closes + hours * HOUR
    times = timeline(Facts({**opened, Event.TALLIED: decided}, passed=True), rules)

    assert times.executable == decided + rules.timelock_hours * HOUR
    assert times.expires == times.executable + rules.grace_hours * HOUR


@given(facts(), parameters())
def test_a_quorum_reached_late_moves_the_close_once_and_so_far_at_most(found, rules):
    opened = {Event.OPENED: found.events.get(Event.OPENED, NOW)}
    without = timeline(Facts(opened), rules)
    reached = found.events.get(Event.QUORUM_REACHED, NOW)
    late = timeline(Facts({**opened, Event.QUORUM_REACHED: reached}), rules)
    extension = rules.extension_hours * HOUR

    assert without.closes <= late.closes <= without.closes + extension
    if rules.extension_hours and reached <= without.closes:
        assert late.closes == max(without.closes, reached + extension)


@given(facts(), parameters(), MOMENTS)
def test_what_was_not_opened_is_a_draft_until_it_is_cancelled(found, rules, now):
    events = {k: at for k, at in found.events.items() if k is not Event.OPENED}
    expected = State.CANCELLED if Event.CANCELLED in events else State.DRAFT

    assert state(Facts(events, found.passed), rules, now=now) is expected


@given(facts(), parameters(), MOMENTS)
def test_nothing_is_decided_before_the_vote_has_closed(found, rules, now):
    where = state(found, rules, now=now)

    if where in {State.PASSED, State.QUEUED, State.EXECUTED, State.VETOED}:
        assert found.passed
        assert now >= timeline(found, rules).closes
    if where is State.FAILED:
        assert found.passed is False


@given(facts(), parameters(), MOMENTS)
def test_only_what_is_carried_out_expires_and_only_after_its_grace(found, rules, now):
    if state(found, rules, now=now) is State.EXPIRED:
        assert rules.deed is not Deed.NONE
        assert now >= timeline(found, rules).expires
        assert Event.EXECUTED not in found.events


HALF_A_WEEK = Parameters(
    about="anything",
    method="yes-no",
    quorum="1/2",
    discussion_hours=24,
    freeze_hours=12,
    voting_days=1,
    extension_hours=6,
    deed=Deed.SPEND,
    timelock_hours=48,
    grace_hours=24,
)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (0, State.DISCUSSION),
        (24, State.FROZEN),
        (36, State.VOTING),
        (59, State.VOTING),
        (60, State.QUEUED),
        (108, State.QUEUED),
        (131, State.QUEUED),
        (132, State.EXPIRED),
    ],
)
def test_a_spend_goes_this_way_to_the_hour(hours, expected):
    passed = Facts({Event.OPENED: NOW, Event.TALLIED: NOW + 60 * HOUR}, passed=True)

    assert state(passed, HALF_A_WEEK, now=NOW + hours * HOUR) is expected
    # The instant itself belongs to what follows.
    if hours in {24, 36, 60, 132}:
        just_before = NOW + hours * HOUR - timedelta(microseconds=1)
        assert state(passed, HALF_A_WEEK, now=just_before) is not expected


def test_a_vote_that_closed_is_not_decided_until_it_is_counted():
    opened = {Event.OPENED: NOW}
    later = NOW + 60 * HOUR

    assert state(Facts(opened), HALF_A_WEEK, now=later) is State.CLOSED
    counted = {**opened, Event.TALLIED: later}
    failed = state(Facts(counted, passed=False), HALF_A_WEEK, now=later)
    assert failed is State.FAILED


@pytest.mark.parametrize(
    ("reached", "closes"), [(37, 60), (54, 60), (55, 61), (60, 66), (61, 66)]
)
def test_six_hours_are_left_from_when_the_quorum_was_reached(reached, closes):
    facts = Facts({Event.OPENED: NOW, Event.QUORUM_REACHED: NOW + reached * HOUR})

    assert timeline(facts, HALF_A_WEEK).closes == NOW + closes * HOUR
