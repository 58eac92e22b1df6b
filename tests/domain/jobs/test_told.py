"""However a job ends, whoever waits for it is told, and not before it is true."""

import psycopg2
import pytest

from domain import jobs
from domain.ids import uuid7
from domain.jobs import CHANNEL, Outcome
from tests.domain.jobs.endings import STATES
from tests.factories import NOW, make_job, make_lane

PRINCIPAL = uuid7()


@pytest.fixture
def heard(database_url):
    """Return what was said on the channel since the test began."""
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")

    def heard():
        # A round trip later everything committed before it has arrived.
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return [notice.payload for notice in connection.notifies]

    yield heard
    connection.close()


@pytest.mark.parametrize("end", STATES, ids=lambda end: end.__name__)
def test_whoever_waits_is_told_when_a_job_ends(sessions, heard, end):
    job = make_job(lane=make_lane(), principal=PRINCIPAL)
    with sessions.begin() as session:
        jobs.submit(session, [job])
    with sessions.begin() as session:
        end(session, job)
        early = heard()

    assert f"ledger.{job.lane}" not in early
    assert f"ledger.{job.lane}" in heard()


def test_a_lane_is_named_once_however_many_of_its_jobs_end(sessions, heard):
    lane = make_lane()
    with sessions.begin() as session:
        made = [make_job(lane=lane) for _ in range(50)]
        jobs.submit(session, made)
        outcomes = [Outcome(job.id, result={}) for job in made]
        jobs.finish(session, outcomes, began=NOW, now=NOW)

    assert heard().count(f"ledger.{lane}") == 1
