"""A long backlog must not make each batch dear, whatever the statistics say."""

import json
import re

import pytest
import sqlalchemy as sa

from domain import jobs
from domain.ids import uuid7
from domain.jobs import claims
from tests import databases
from tests.factories import NOW, make_job, make_lane

BACKLOG = 2_000
BATCH = 200


@pytest.fixture
def explain(owner_engine):
    """Explain what a statement did among many queued jobs the planner knows not of."""
    with databases.rolled_back(owner_engine) as session:
        session.execute(sa.text("ANALYZE jobs"))
        lane = make_lane()
        jobs.submit(session, [make_job(lane=lane) for _ in range(BACKLOG)])

        def explained(statement, **bound):
            text = sa.text(f"EXPLAIN ANALYZE {statement.text}")
            return "\n".join(session.scalars(text, {"now": NOW, "lane": lane, **bound}))

        yield explained


def discarded(plan):
    """Count the pairs of rows that were compared in vain."""
    found = re.findall(r"Rows Removed by (?:Join )?Filter: (\d+)", plan)
    loops = re.findall(r"Function Scan.*loops=(\d+)", plan)
    return sum(map(int, found)) + sum(int(n) - 1 for n in loops)


def test_claiming_looks_at_what_it_claims(explain):
    plan = explain(claims._CLAIM, queue="ledger", count=BATCH, size=BATCH)

    assert f"rows={BATCH}" in plan
    assert discarded(plan) == 0


def test_finishing_does_not_compare_the_batch_with_the_backlog(explain):
    outcomes = [{"id": uuid7().hex, "state": "succeeded"} for _ in range(BATCH)]
    plan = explain(claims._FINISH, rows=json.dumps(outcomes), began=NOW)

    assert discarded(plan) == 0
