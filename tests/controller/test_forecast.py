"""Forecasts: what recurs is found, what does not is not believed."""

import math
import random

import pytest

from controller.forecast import BIN_SECONDS, find_pattern, trend
from tests.controller.load import NOW, tick


def hour(rate):
    """Return an hour of ticks whose rate a function of the second tells."""
    return [tick(NOW - 3_600 + at, rate=rate(at)) for at in range(5, 3_601, 5)]


def test_a_burst_every_ten_minutes_is_found():
    pattern = find_pattern(hour(lambda s: 100 if s % 600 < 60 else 8), ahead=6)

    assert pattern.period == 600
    begins = NOW + 600
    assert pattern.rate(begins + 10, begins + 20) == 100
    assert pattern.rate(begins + 200, begins + 210) == 8


def test_a_wave_is_found_though_it_is_noisy():
    noise = random.Random(7)
    pattern = find_pattern(
        hour(lambda s: 50 + 40 * math.sin(s / 600 * 2 * math.pi) + noise.gauss(0, 3)),
        ahead=60,
    )

    assert pattern.period == pytest.approx(600, abs=BIN_SECONDS)


@pytest.mark.parametrize(
    "rate",
    [
        lambda _: 20,
        lambda s: s / 40,
        lambda s: 100 if 1_800 < s < 1_860 else 8,
        lambda s: random.Random(s).uniform(0, 40),
    ],
    ids=["constant", "ramp", "once", "noise"],
)
def test_what_does_not_recur_is_no_pattern(rate):
    assert find_pattern(hour(rate), ahead=6) is None


def test_a_pattern_that_ended_is_given_up():
    """It was right for half an hour, and foretells worse than "as now" since."""
    ended = hour(lambda s: 100 if s % 300 < 60 and s < 2_400 else 8)

    assert find_pattern(ended, ahead=6) is None


def test_what_recurs_is_given_up_while_as_now_is_nearer():
    """A wave that grows: it is the same wave, and never what it was the last time."""

    def growing(s):
        return 150 + s / 3_600 * 100 * math.sin(s / 900 * 2 * math.pi)

    def steady(s):
        return 150 + 100 * math.sin(s / 900 * 2 * math.pi)

    assert find_pattern(hour(steady), ahead=15).period == 900
    assert find_pattern(hour(growing), ahead=15) is None


def test_two_ticks_are_no_pattern_and_none_are_none():
    assert find_pattern(hour(lambda _: 1)[:2], ahead=6) is None
    assert find_pattern([], ahead=6) is None


def test_a_trend_goes_on():
    rising = [10.0 + step for step in range(60)]

    assert trend(rising, ahead=2) == pytest.approx(71, abs=1.5)


def test_a_trend_is_never_below_nothing():
    assert trend([10.0, 5.0, 0.0, 0.0], ahead=50) == 0
    assert trend([], ahead=5) == 0
