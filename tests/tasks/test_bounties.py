"""Bounties whose time is over: found by a periodic job, closed by the ledger's."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from domain.bounties import holding, keeping
from domain.jobs import Job
from tasks import maintenance
from tasks._drain import drain
from tests.bounties import balance_of, make_bounty
from tests.factories import make_user


@pytest.fixture
def now():
    """The real time: a job that waited for too long is not run."""
    return datetime.now(UTC)


@pytest.fixture
def bounty(sessions, now):
    expires = now + timedelta(minutes=1)
    with sessions.begin() as session:
        creator = make_user(session).id
        return make_bounty(session, creator, expires_at=expires.isoformat())


def expire(sessions, now):
    with sessions.begin() as session:
        maintenance.expire_bounties(session, None, now=now)


def jobs_of(sessions, bounty):
    wanted = sa.select(Job).where(
        Job.kind == holding.CLOSE,
        Job.payload["bounty_id"].as_string() == str(bounty),
    )
    with sessions() as session:
        return session.scalars(wanted).all()


def test_what_is_left_of_an_expired_bounty_goes_back_once(sessions, bounty, now):
    expire(sessions, now)
    before = jobs_of(sessions, bounty)
    for _ in range(3):
        expire(sessions, now + timedelta(minutes=1))
    (job,) = jobs_of(sessions, bounty)
    drain("ledger", job.lane)
    with sessions() as session:
        found = keeping.find(session, bounty)
        wealth = balance_of(session, found.row.creator)

    assert before == []
    assert found.row.refunded_by
    assert wealth == 10


def test_a_job_that_was_not_run_is_submitted_again_another_day(sessions, bounty, now):
    for days in (1, 2):
        expire(sessions, now + timedelta(days=days))

    assert len(jobs_of(sessions, bounty)) == 2
