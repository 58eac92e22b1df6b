"""The policy: what it answers to, what it never does, and what it says."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.decision import Decision
from controller.forecast import Pattern
from controller.policy import decide
from tests.controller.load import GROUP, NOW, tick, ticks, view

MEASURED = st.floats(0, 1e5)


def moved(at, current, desired, need=None):
    """Return a decision of the past."""
    return Decision(
        at=at,
        group="jobs",
        current=current,
        desired=desired,
        need=float(desired if need is None else need),
        needs={"arrivals": float(desired if need is None else need)},
        reason="",
    )


def test_a_steady_load_is_left_as_it_is():
    assert decide(view(current=5)).direction == 0


def test_work_that_piles_up_adds_workers_at_once():
    late = [*ticks(until=NOW - 5), tick(NOW, rate=100, ready=400, oldest=4.0)]

    decision = decide(view(late))

    assert decision.desired == GROUP.most
    assert "oldest job 4.0 s > target 2 s" in decision.sentence
    assert "400 queued in 2 s" in decision.sentence
    assert "configuration allows 40" in decision.sentence


MANY = replace(GROUP, most=500)


@pytest.mark.parametrize(("more", "moves"), [(3, False), (4, True)])
def test_what_is_little_of_many_is_not_worth_a_move(more, moves):
    """Below a tenth; of forty, that is three."""
    rate = next(
        rate
        for rate in range(150, 300)
        if decide(view(ticks(rate=rate), group=MANY)).need == 40 + more
    )

    decision = decide(view(ticks(rate=rate), current=40, group=MANY))

    assert decision.desired == 40 + more * moves
    assert ("within the dead band" in decision.sentence) is not moves


@pytest.mark.parametrize(
    ("current", "desired"), [(1, 49), (2, 50), (3, 51), (4, 64), (10, 160)]
)
def test_one_step_up_is_large_and_bounded(current, desired):
    """By 48, or sixteenfold: a spike is met in two steps, a false figure is not."""
    spike = [*ticks(until=NOW - 5), tick(NOW, rate=200, ready=4_000, oldest=9.0)]

    decision = decide(view(spike, current=current, group=MANY))

    assert decision.desired == desired
    assert f"wanted, one step goes to {desired}" in decision.sentence


def test_what_grows_is_provided_for_before_a_new_worker_would_begin():
    rates = [20.0 + 0.5 * step for step in range(60)]
    growing = [tick(NOW - 5.0 * (59 - n), rate=rate) for n, rate in enumerate(rates)]
    slow = replace(GROUP, start_seconds=60.0)

    decision = decide(view(growing, current=10, group=slow))

    assert decision.needs["trend"] > decision.needs["arrivals"] + 1
    assert decision.desired == decision.needs["trend"]
    assert "by trend" in decision.sentence


def test_what_ages_adds_workers_even_when_nothing_else_says_so():
    """Two workers hang: few wait, none arrive, and those who wait do so for long."""
    stuck = ticks(rate=0.01, ready=1, oldest=30.0)

    assert decide(view(stuck, current=2)).desired > 2


def test_what_ages_for_a_moment_only_adds_none():
    measured = [
        *ticks(until=NOW - 5, rate=0.01),
        tick(NOW, rate=0.01, ready=1, oldest=30),
    ]

    assert decide(view(measured, current=2)).desired <= 2


def test_nobody_is_added_for_age_while_the_last_ones_start():
    stuck = ticks(rate=0.01, ready=1, oldest=30.0)
    slow = replace(GROUP, start_seconds=30.0)

    past = [moved(NOW - 20, 2, 4)]

    assert decide(view(stuck, current=4, group=slow, past=past)).desired == 4


def test_what_was_needed_lately_is_kept():
    past = [moved(NOW - 60, 20, 20, need=20)]

    decision = decide(view(current=20, past=past))

    assert decision.desired == 20
    assert "20 were needed lately" in decision.sentence


def test_it_goes_down_in_steps():
    past = [moved(NOW - back, 20, 20, need=5) for back in range(600, 0, -5)]

    assert decide(view(current=20, past=past)).desired == 12


def test_a_little_less_waits_for_ten_calm_minutes():
    restless = [moved(NOW - 300, 6, 6, need=6)]
    calm = [moved(NOW - 300, 6, 6, need=5)]

    assert decide(view(current=6, past=restless)).desired == 6
    assert decide(view(current=6, past=calm)).desired == 5


def test_one_step_down_waits_for_the_one_before():
    past = [moved(NOW - 5, 20, 12, need=5)]

    assert decide(view(current=12, past=past)).desired == 12


def test_who_has_turned_does_not_turn_again():
    """Nobody knows whether what is taken will be needed again at once."""
    turned = [moved(NOW - 500, 20, 9, need=5), moved(NOW - 400, 9, 20, need=5)]

    decision = decide(view(current=20, past=turned))

    assert decision.desired == 20
    assert "turned lately" in decision.sentence


@pytest.mark.parametrize(("rates", "desired"), [((20.0,), 12), ((20.0, 90.0), 20)])
def test_unless_it_is_known_that_no_more_will_be_needed(rates, desired):
    turned = [moved(NOW - 500, 20, 9, need=5), moved(NOW - 400, 9, 20, need=5)]
    pattern = Pattern(NOW, tuple(rate for rate in rates for _ in range(8)))

    decision = decide(view(current=20, past=turned, pattern=pattern))

    assert decision.desired == desired


def test_what_rose_ten_minutes_ago_may_fall():
    past = [moved(NOW - 1_300, 20, 9), moved(NOW - 650, 9, 20, need=5)]

    assert decide(view(current=20, past=past)).desired == 12


def test_who_has_just_fallen_does_not_rise_a_little_unless_somebody_waits():
    past = [moved(NOW - 100, 9, 20), moved(NOW - 30, 20, 18)]

    def desired(oldest):
        measured = ticks(rate=92.0, oldest=oldest)
        return decide(view(measured, current=18, past=past)).desired

    assert desired(oldest=1.0) == 18
    assert desired(oldest=2.5) > 18


def test_whoever_works_stays():
    busy = ticks(running=9)
    long_needless = [moved(NOW - back, 10, 10, need=5) for back in range(600, 0, -5)]

    decision = decide(view(busy, current=10, past=long_needless))

    assert decision.desired == 9
    assert decide(view(ticks(running=10), current=10, past=long_needless)).desired == 10


def test_what_differs_by_chance_does_not_differ():
    """In ten seconds 200 are usual, and 240 come one time in three hundred."""
    chance = [*ticks(until=NOW - 10), tick(NOW - 5, rate=24), tick(NOW, rate=24)]
    more = [*ticks(until=NOW - 10), tick(NOW - 5, rate=28), tick(NOW, rate=28)]

    assert decide(view(chance, current=5)).needs["arrivals"] == 5
    assert decide(view(more, current=5)).needs["arrivals"] == 7


def test_a_queue_that_will_have_begun_within_the_target_adds_nobody():
    assert decide(view(ticks(ready=40), current=5)).desired == 5
    assert decide(view(ticks(ready=60), current=5)).desired > 5


def test_jobs_that_take_longer_of_late_are_noticed_within_a_minute():
    slower = [*ticks(until=NOW - 60), *ticks(12, service=0.4)]

    assert "× 400 ms" in decide(view(slower)).reason  # noqa: RUF001


def test_one_slow_job_among_many_is_no_news():
    outlier = [*ticks()[:-1], tick(NOW)._replace(busy=21.0)]

    assert "× 200 ms" in decide(view(outlier)).reason  # noqa: RUF001


def test_what_recurs_is_provided_for_before_it_comes():
    pattern = Pattern(NOW, (20.0, 100.0, 100.0, 20.0))

    decision = decide(view(current=5, pattern=pattern))

    assert decision.desired > 20
    assert "by pattern" in decision.sentence


@pytest.mark.parametrize("what", ["memory", "cores", "connections"])
def test_a_ceiling_bounds_it_and_is_named(what):
    late = [*ticks(until=NOW - 5), tick(NOW, rate=100, ready=400, oldest=4.0)]

    decision = decide(view(late, ceilings={what: 7}))

    assert decision.desired == 7
    assert f"{what} allows 7" in decision.sentence


def test_nothing_measured_is_not_idle():
    decision = decide(view([], current=9))

    assert (decision.desired, decision.reason) == (9, "held, nothing was measured")


def test_what_was_measured_long_ago_is_not_now():
    decision = decide(view(ticks(until=NOW - 42, rate=0), current=9))

    assert decision.desired == 9
    assert "42 s old" in decision.reason


def test_a_clock_set_back_finds_nothing_measured_yet():
    assert decide(view(ticks(until=NOW + 3_600, rate=0), current=9)).desired == 9


def test_before_any_job_has_finished_a_guess_has_to_do():
    begun = [one._replace(finished=0, busy=0) for one in ticks(rate=20)]

    assert decide(view(begun, current=1)).desired == 5


@given(
    current=st.integers(0, 60),
    load=st.fixed_dictionaries(
        {
            "rate": MEASURED,
            "service": st.floats(0, 100),
            "ready": MEASURED,
            "oldest": MEASURED,
        }
    ),
    ceiling=st.integers(0, 60),
)
def test_the_bounds_are_always_kept(current, load, ceiling):
    measured = ticks(4, **load)

    decision = decide(view(measured, current=current, ceilings={"memory": ceiling}))

    assert GROUP.least <= decision.desired
    assert decision.desired <= max(GROUP.least, min(GROUP.most, ceiling))


@settings(max_examples=15)
@given(rate=st.floats(0, 150), service=st.floats(0.01, 0.2))
def test_constant_input_is_answered_once_and_never_again(rate, service):
    past, current = [], 3
    for step in range(200):
        now = NOW + 5.0 * step
        measured = ticks(125, until=now, rate=rate, service=service)
        decision = decide(view(measured, current=current, now=now, past=past))
        past.append(decision)
        current = decision.desired

    moves = [decision.direction for decision in past if decision.direction]
    assert len(set(moves)) <= 1, "it went there and back"
    assert not any(decision.direction for decision in past[150:])
