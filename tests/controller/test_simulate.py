"""The simulator: it neither loses jobs nor workers, and its figures can be checked."""

import pytest

from controller.outcome import Outcome
from controller.simulate import simulate
from controller.traces import Span

HOUR = [Span(seconds=3_600, rate=4, service=0.2)]


def always(size):
    """Return a controller that wants so many, whatever happens."""
    return lambda _ticks, _size, _now: size


def test_one_worker_waits_as_long_as_the_formula_says():
    """M/G/1 (Pollaczek, 1930): load² · (1 + cv²) / (2 · rate · (1 - load))."""
    found = simulate(HOUR * 20, always(1), start_seconds=1, size=1)
    expected = 0.8**2 * (1 + 1 / 2) / (2 * 4 * 0.2)

    assert sum(found.waits) / len(found.waits) == pytest.approx(expected, rel=0.15)
    assert found.cost == pytest.approx(1 / 0.8, rel=0.03)


def test_the_same_seed_is_the_same_run():
    runs = [simulate(HOUR, always(2), start_seconds=1, seed=5) for _ in range(2)]

    assert runs[0] == runs[1]
    assert runs[0] != simulate(HOUR, always(2), start_seconds=1, seed=6)


def test_every_job_is_counted_even_those_that_still_wait():
    flood = [Span(seconds=10, rate=100, service=10)]

    found = simulate(flood, always(1), start_seconds=1, size=1)

    assert len(found.waits) == pytest.approx(1_000, rel=0.1)
    assert max(found.waits) > 9


def test_a_worker_helps_when_it_has_started_and_not_before():
    sizes = {}

    def controller(ticks, size, now):
        sizes[now] = (size, ticks[-1].running)
        return 5

    simulate([Span(seconds=60, rate=50, service=1)], controller, start_seconds=30)

    assert sizes[10.0] == (5, 2)
    assert sizes[30.0] == (5, 2)
    assert sizes[40.0] == (5, 5)


def test_a_worker_that_goes_finishes_its_job():
    slow = [Span(seconds=30, rate=1, service=20), Span(seconds=60, rate=0, service=1)]

    found = simulate(
        slow, lambda _t, _s, now: 4 if now < 20 else 1, start_seconds=0.1, size=4
    )

    assert found.sizes[-1][1] == 1
    assert found.worker_seconds > 4 * 20


def test_dead_workers_do_nothing_for_a_minute_and_are_then_replaced():
    trace = [
        Span(seconds=60, rate=3, service=1),
        Span(seconds=120, rate=3, service=1, deaths=4),
    ]
    running = {}

    def controller(ticks, size, now):
        assert size == 8
        running[now] = ticks[-1].running
        return 8

    simulate(trace, controller, start_seconds=1, size=8)

    assert max(running[at] for at in (70.0, 90.0, 110.0)) <= 4
    assert max(running.values()) <= 8


def test_turns_are_changes_of_direction():
    found = Outcome(sizes=[(0, 2), (10, 5), (20, 9), (30, 4), (700, 6), (710, 3)])

    assert found.turns == [30, 700, 710]
    assert found.turns_within(600) == 2
    assert found.actions == 5
