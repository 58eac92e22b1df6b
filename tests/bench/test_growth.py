"""Books that are filled in bulk, and the jobs that come and go beside them."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bench import claims, growth, storage
from bench.stack import Stack
from domain.ids import uuid7
from tests import audit

pytestmark = pytest.mark.long

TRANSFERS = 3_000


@pytest.fixture
def stack(new_database):
    """A stack of which only the database runs."""
    with new_database() as url:
        address = sa.make_url(url).set(drivername="postgresql+psycopg2")
        engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
        yield Stack(api="", database=url, redis=None, key="", pids={}, engine=engine)
        engine.dispose()


def test_books_filled_in_bulk_are_sound(stack):
    growth.store(stack, TRANSFERS)

    with Session(stack.engine) as session:
        assert audit.faults(session) == []
    assert stack.value("SELECT count(*) FROM transfers") == TRANSFERS
    assert stack.value("SELECT count(*) FROM jobs") == TRANSFERS


def test_jobs_of_full_books_come_before_all_others_in_their_index(stack):
    growth.store(stack, TRANSFERS)

    disorder = "SELECT count(*) FROM jobs WHERE id > CAST(:now AS uuid)"
    assert stack.value(disorder, now=str(uuid7())) == 0


def test_storage_is_told_for_every_table_and_index_of_a_write(stack):
    growth.store(stack, TRANSFERS)
    sizes = storage.measure(stack)

    assert sizes["transfers: transfers"] > 100
    assert {"transfers: transfers_pkey", "jobs: jobs", "jobs: jobs_queued"} <= set(
        sizes
    )


def test_every_job_that_comes_goes_and_every_claim_is_timed(stack):
    measured = claims.measure(stack, 10_000)

    assert [window["jobs"] for window in measured["windows"]] == [
        *range(500, 10_001, 500)
    ]
    assert min(window["p50_ms"] for window in measured["windows"]) > 0
    assert measured["empty"]["claim_p50_blocks"] >= 500
    assert measured["full"]["table_bytes"] > measured["empty"]["table_bytes"]
    assert measured["full"]["index_bytes"].keys() >= {"jobs_pkey", "jobs_queued"}
    assert not stack.value(
        "SELECT count(*) FROM pg_database WHERE datname = :n", n=claims.NAME
    )
