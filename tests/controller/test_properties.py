"""What the policies hold to whatever comes: tried on loads nobody thought of."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.decision import Decision, Group
from controller.forecast import find_pattern
from controller.replay import POLICIES, Replayed
from controller.simulate import simulate
from controller.tick import Host, Tick
from controller.traces import Span
from tests.controller.load import GROUP, NOW, ticks, view

TEN_MINUTES = 600.0
# Whole runs take longer than single decisions.
RUNS = max(10, settings().max_examples // 5)
LONG_RUNS = max(5, settings().max_examples // 20)
WILD = st.floats(allow_nan=True, allow_infinity=True)
JOBS_MAX = 20_000

GROUPS = st.builds(
    Group,
    name=st.just("jobs"),
    target_seconds=st.sampled_from([1.0, 2.0, 10.0]),
    least=st.integers(1, 3),
    most=st.integers(3, 60),
    start_seconds=st.sampled_from([0.3, 1.0, 30.0]),
    service_seconds=st.sampled_from([0.02, 0.5]),
)
# Work for so many workers at once, in jobs of any length.
SPANS = st.builds(
    lambda seconds, load, service, deaths: Span(
        seconds=seconds, rate=load / service, service=service, deaths=deaths
    ),
    st.floats(10, 400),
    st.floats(0, 50),
    st.floats(0.05, 5),
    st.sampled_from([0, 0, 0, 1, 5]),
)
# Less than it takes to see anything recur after ten minutes.
TRACES = st.lists(SPANS, min_size=1, max_size=8).filter(
    lambda trace: (
        sum(span.seconds for span in trace) < 2 * TEN_MINUTES
        and sum(span.seconds * span.rate for span in trace) < JOBS_MAX
    )
)


def turns(outcome):
    """Return when it moved against one of the ten minutes before."""
    moves = [(at, size - before) for (_, before), (at, size) in pairwise(outcome.sizes)]
    return [
        at
        for (before, one), (at, other) in pairwise(moves)
        if one * other < 0 and before > at - TEN_MINUTES
    ]


@settings(max_examples=RUNS)
@given(trace=TRACES, group=GROUPS, seed=st.integers(0, 1_000))
def test_it_never_turns_a_third_time_in_ten_minutes(trace, group, seed):
    found = simulate(
        trace,
        Replayed("age", group),
        start_seconds=group.start_seconds,
        size=group.least,
        seed=seed,
    )

    turned = turns(found)
    assert all(third >= first + TEN_MINUTES for first, third in thirds(turned))
    assert all(group.least <= size <= group.most for _, size in found.sizes)


def thirds(turned):
    """Return each turn with the second after it."""
    return zip(turned, turned[2:], strict=False)


@settings(max_examples=LONG_RUNS)
@given(
    load=st.floats(0.1, 40),
    service=st.floats(0.1, 2),
    start=st.sampled_from([1.0, 30.0]),
    seed=st.integers(0, 1_000),
)
def test_an_even_load_is_left_alone_though_chance_makes_it_uneven(
    load, service, start, seed
):
    """After ten minutes; what arrives are Poisson's events."""
    group = Group(
        name="jobs", target_seconds=2.0, least=1, most=80, start_seconds=start
    )
    even = [Span(seconds=2_400, rate=min(15.0, load / service), service=service)]

    found = simulate(
        even,
        Replayed("age", group),
        start_seconds=start,
        size=group.least,
        seed=seed,
        warm_up=TEN_MINUTES,
    )

    # Chance has no bound: of 465 drawn at random 456 changed five times at most, two
    # seven times, and one turned four times.
    assert found.actions <= 10
    assert len(turns(found)) <= 5


DECISIONS = st.builds(
    lambda back, current, desired, need: Decision(
        at=NOW - back,
        group="jobs",
        current=current,
        desired=desired,
        need=need,
        needs={"arrivals": need},
        reason="",
    ),
    st.floats(0, 900),
    st.integers(1, 40),
    st.integers(1, 40),
    st.floats(0, 60),
)


@given(
    ready=st.integers(0, 5_000),
    more=st.integers(0, 5_000),
    oldest=st.floats(0, 60),
    longer=st.floats(0, 60),
    rate=st.floats(0, 100),
    current=st.integers(0, 45),
    past=st.lists(DECISIONS, max_size=8).map(lambda ds: sorted(ds, key=lambda d: d.at)),
)
def test_more_that_waits_for_longer_never_has_fewer_workers(  # noqa: PLR0913, PLR0917
    ready, more, oldest, longer, rate, current, past
):
    """Whatever was decided before, and whatever slows the change."""

    def size(ready, oldest):
        measured = ticks(30, rate=rate, ready=ready, oldest=oldest)
        return POLICIES["age"](view(measured, current=current, past=past)).desired

    assert size(ready, oldest) <= size(ready + more, oldest)
    assert size(ready, oldest) <= size(ready, oldest + longer)


@pytest.mark.parametrize("policy", POLICIES)
@given(
    measured=st.lists(st.builds(Tick, *[WILD] * 8), max_size=6),
    seen=st.lists(st.builds(Host, *[WILD] * 4), max_size=6),
    newest=st.tuples(*[WILD] * 7),
    now=st.one_of(st.just(NOW), st.floats(-1e12, 1e12)),
)
def test_nonsense_is_survived_and_bounds_are_kept(policy, measured, seen, newest, now):
    """Not a number, infinite, negative, huge and tiny, at any time."""
    hour = [*measured, *ticks(3), Tick(NOW, *newest)]
    hosts = [*seen, Host(NOW, 10.0, 10.0, 10.0)]

    decision = POLICIES[policy](view(hour, hosts=hosts, current=3, now=now))

    assert GROUP.least <= decision.desired <= GROUP.most
    assert math.isfinite(decision.need)
    assert all(math.isfinite(need) for need in decision.needs.values())
    assert find_pattern(hour, ahead=6) is None


@pytest.mark.parametrize("policy", POLICIES)
@given(
    jump=st.one_of(st.floats(-1e9, -TEN_MINUTES), st.floats(31, 1e9)),
    current=st.integers(1, 40),
)
def test_after_a_clock_has_jumped_nothing_counts_as_idle(policy, jump, current):
    """What was measured by the clock as it was before says nothing of now."""
    idle = ticks(rate=0, running=0)
    read = [Host(tick.at, 0.0, 0.0, 0.0) for tick in idle]
    seen = view(idle, hosts=read, current=current, now=NOW + jump)

    assert POLICIES[policy](seen).desired == current
