"""What is recorded takes little room: rows of a controller, on a real database."""

from datetime import timedelta
from statistics import fmean

import pytest
import sqlalchemy as sa

from domain.scaling.keeping import KEPT_MAX, QUIET_FOR
from tests.controller.steered import steered

YEAR = timedelta(days=365)
GROUPS = 2
BYTES_MAX = 100_000_000
# Rows enough that pages and indexes are as full as they will be.
SOME = 7_000

# A table of the same shape, with so many rows that are each one more of the last ones.
FILLED = (
    "DROP TABLE IF EXISTS filled",
    "CREATE TABLE filled (LIKE controller_actions INCLUDING ALL)",
    """
    INSERT INTO filled (at, until, cycles, worker_group, mode, policy, target, current,
        desired, ordered, need, needs, clamps, reason, inputs, result, ms, controller)
    SELECT at + n * interval '1 hour', until + n * interval '1 hour', cycles,
        worker_group, mode, policy, target, current, desired, ordered, need, needs,
        clamps, reason, inputs, result, ms, controller
    FROM (SELECT * FROM controller_actions ORDER BY id DESC LIMIT :each) AS last,
        generate_series(1, :rows / :each) AS n
    """,
)


def bytes_a_row(one, each):
    """Return what one of the last rows takes, indexes and all."""
    with one.engine.begin() as connection:
        connection.execute(sa.text("SET ROLE NONE"))
        for statement in FILLED:
            connection.execute(sa.text(statement), {"rows": SOME, "each": each})
        size = connection.scalar(sa.text("SELECT pg_total_relation_size('filled')"))
        return size / SOME


@pytest.fixture
def one(own_database):
    controller = "a-host-with-a-long-name-7f9c4:123456"
    with steered(own_database, controller=controller) as one:
        yield one


def test_a_quiet_year_is_far_from_the_most_that_is_kept(one):
    for _ in range(10):
        one.turn()
    rows = GROUPS * YEAR / QUIET_FOR

    assert rows < KEPT_MAX / 3
    assert rows * bytes_a_row(one, 10) < BYTES_MAX / 3


def test_as_many_as_are_kept_of_the_busiest_hour_take_less_than_100_mb(one):
    """Backlogs, clamps and notes, in each row: the longest sentences there are."""
    one.target.deaf = True
    for _ in range(20):
        one.arrive(500, seconds_ago=4)
        one.serve(count=100)
        one.beat(3)
        one.turn()
    rows = one.records()[-10:]

    assert fmean(len(row.sentence) for row in rows) > 200
    assert KEPT_MAX * bytes_a_row(one, 10) < BYTES_MAX
