"""The page of the comparison says what a play comes to, on every machine."""

import re

import pytest

from bench.controllers import page
from bench.controllers.plays import POLICIES, Figures, play

pytestmark = pytest.mark.long

# A shape of few jobs and one policy, for all of it takes ten minutes.
SHAPE = "slow_jobs"
PLAYED = ("age (ours)",)
SEEDS = 3


def rows():
    """Return the cells of the shape in the tables of workers that start in 1 s."""
    text = page.PATH.read_text().partition("## Workers that start in 1 s")[2]
    found = re.findall(rf"^\| {SHAPE} \| (.*) \|$", text, re.MULTILINE)[:2]
    return [dict(zip(POLICIES, row.split(" | "), strict=True)) for row in found]


@pytest.mark.parametrize("policy", PLAYED)
def test_the_page_says_what_a_play_of_it_comes_to(policy):
    runs = [play(policy, SHAPE, 1.0, seed) for seed in range(1, SEEDS + 1)]
    figures = Figures.of(runs)

    waits, moves = (row[policy] for row in rows())
    assert waits == page.waits(figures)
    assert moves == page.moves(figures)


def test_the_page_explains_every_policy_and_shape():
    text = page.PATH.read_text()

    assert page.FORMULAS.keys() == POLICIES.keys()
    assert all(f"| {shape} | {about} |" in text for shape, about in page.SHAPES.items())
