"""The policy on shapes of load: how many wait for long, what it costs, how calm it is.

One run of each, an hour to learn and an hour that counts.
"""

from functools import cache
from statistics import fmean

import pytest

from bench.controllers.plays import play
from bench.controllers.shapes import HOUR, SHAPES

OURS = "age (ours)"
SEEDS = (1,)
# The most it may cost, in seconds of workers for a second of work.
COSTS = {"steady": 2.0, "step": 1.9, "spike": 3.0, "ramp": 1.6, "cron": 3.6}
PODS = 30.0


@cache
def played(shape, start_seconds=1.0):
    return [play(OURS, shape, start_seconds, seed) for seed in SEEDS]


def late(runs):
    return fmean(run.late(5.0) for run in runs)


@pytest.mark.parametrize("shape", COSTS)
def test_few_wait_for_long_it_costs_little_and_stays_calm(shape):
    runs = played(shape)

    assert late(runs) <= 0.005
    assert fmean(run.cost for run in runs) <= COSTS[shape]
    assert max(run.actions for run in runs) <= 70
    assert max(run.turns_within(600) for run in runs) <= 2


@pytest.mark.parametrize(
    "shape", ["double_spike", "day", "slow_leak", "dead_workers", "slow_jobs"]
)
def test_few_wait_for_long_whatever_comes_and_it_stays_calm(shape):
    run = play(OURS, shape, 1.0, 1)

    assert late([run]) <= 0.005
    assert run.actions <= 70
    assert run.turns_within(600) <= 2


@pytest.mark.parametrize(("shape", "late_max"), [("step", 0.025), ("cron", 0.01)])
def test_pods_that_start_slowly_are_asked_for_in_time(shape, late_max):
    runs = played(shape, PODS)

    assert late(runs) <= late_max
    assert max(run.actions for run in runs) <= 70
    assert max(run.turns_within(600) for run in runs) <= 2


def test_the_same_load_by_the_first_documents_rules_is_worse():
    ours, theirs = (play(name, "step", 1.0, 1) for name in (OURS, "classic"))

    assert late([theirs]) > 0.1 > late([ours])


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_an_hour(shape):
    assert sum(span.seconds for span in SHAPES[shape]) == HOUR
