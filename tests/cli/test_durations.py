"""Stretches of time in words, and from words."""

from datetime import timedelta

import click
import pytest

from cli.durations import ago, every, stretch, told
from tests.factories import NOW


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1_800), ("2h", 7_200), ("1d", 86_400), ("30d", 2_592_000)],
)
def test_a_stretch_is_a_number_and_a_unit(text, seconds):
    assert stretch(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "0m", "1.5h", "5 m", "9w", "٣m"])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(click.BadParameter, match="is not such as 90s, 30m, 2h or 1d"):
        stretch(text)


@pytest.mark.parametrize("text", ["31d", "721h", "9999999d"])
def test_more_than_a_month_is_refused(text):
    with pytest.raises(click.BadParameter, match="is more than 30 days"):
        stretch(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (43.4, "43 s"),
        (99.4, "99 s"),
        (99.6, "2 min"),
        (720, "12 min"),
        (7_200, "2 h"),
        (86_400 * 5, "5 days"),
    ],
)
def test_a_stretch_is_told_in_a_unit_that_fits(seconds, words):
    assert told(seconds) == words


def test_what_another_clock_has_ahead_of_ours_is_now():
    assert ago(NOW + timedelta(seconds=2), NOW) == "0 s ago"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "every second"),
        (5, "every 5 seconds"),
        (60, "every minute"),
        (90, "every 90 seconds"),
        (300, "every 5 minutes"),
        (3_600, "every hour"),
        (86_400, "every day"),
        (172_800, "every 2 days"),
    ],
)
def test_a_period_is_told_in_words(seconds, words):
    assert every(seconds) == words
