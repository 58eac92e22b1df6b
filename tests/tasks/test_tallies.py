"""Tallies in a worker: a chain of jobs that nothing breaks for good."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from prometheus_client.registry import CollectorRegistry
from sqlalchemy.orm import Session

from domain import jobs
from domain.governance import tallying
from domain.governance.voting_record import Tally, TallyPart
from domain.jobs import Job
from tasks import _figures
from tasks._drain import drain
from tasks._series import Series
from tests.databases import ROOT
from tests.factories import make_claim
from tests.voting import make_vote

OPTIONS = ("ada", "ben", "cat")
RANKINGS = [["ada", "ben"], ["ben"], ["cat", "ben"], [], ["ada"], ["cat"]] * 2
RANKED = {"method": "meek-stv", "options": OPTIONS, "seats": 2, "people": 20}
_DIE_AT_PART = """
import os, signal
from domain.governance import tallying
tallying.run.__kwdefaults__["count"] = 5
whole = tallying.{name}

def dying(*arguments, **named):
    done = whole(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
    return done

tallying.{name} = dying
from tasks._drain import drain
drain("governance", {lane})
"""


@pytest.fixture
def vote(sessions, monkeypatch):
    """A vote that closed long ago, counted five ballots a job."""
    monkeypatch.setitem(tallying.run.__kwdefaults__, "count", 5)
    opened = datetime.now(UTC) - timedelta(days=40)
    with sessions.begin() as session:
        return make_vote(session, *RANKINGS, opened=opened, **RANKED)


@pytest.fixture
def expected(session):
    """What an undisturbed count of the same ballots comes to."""
    made = make_vote(session, *RANKINGS, **RANKED)
    return made.count().result


@pytest.fixture
def registry():
    registry = CollectorRegistry()
    _figures.use(Series(registry))
    yield registry
    _figures.use(None)


def start(vote, sessions):
    with sessions.begin() as session:
        now = datetime.now(UTC)
        return tallying.start(session, vote.id, lane=vote.lane, now=now)


def tallies(vote, sessions):
    with sessions() as session:
        found = sa.select(Tally.result).where(Tally.proposal_id == vote.id)
        return list(session.scalars(found))


def ended(vote, sessions):
    """Return the jobs of a vote's tally as they ended."""
    with sessions() as session:
        found = sa.select(Job).where(Job.queue == "governance", Job.lane == vote.lane)
        return list(session.scalars(found.order_by(Job.position)))


def make_due(sessions, vote):
    with sessions.begin() as session:
        session.execute(
            sa.update(Job)
            .where(Job.lane == vote.lane, Job.state == "queued")
            .values(run_at=None)
        )


def test_one_start_is_enough(vote, sessions, expected):
    start(vote, sessions)
    drain("governance", vote.lane)
    found = ended(vote, sessions)

    assert tallies(vote, sessions) == [expected]
    assert [one.state for one in found] == ["succeeded"] * 4
    assert [one.result["counted"] for one in found] == [5, 10, 12, 12]
    assert found[-1].result["outcome"] == "passed"


def test_a_lost_connection_costs_an_attempt_and_no_ballot(
    vote, sessions, expected, kill, monkeypatch
):
    whole, cut = tallying.read_part, []

    def cutting(session: Session, case, so_far, **named):
        done = whole(session, case, so_far, **named)
        if so_far.parts == 1 and not cut:
            cut.append(True)
            kill(session)
        return done

    monkeypatch.setattr(tallying, "read_part", cutting)
    start(vote, sessions)
    drain("governance", vote.lane)
    with sessions() as session:
        kept = session.scalar(
            sa.select(sa.func.count()).where(TallyPart.proposal_id == vote.id)
        )
    make_due(sessions, vote)
    drain("governance", vote.lane)

    assert (cut, kept) == ([True], 1)
    assert tallies(vote, sessions) == [expected]


@pytest.mark.parametrize("name", ["read_part", "forget_parts"])
def test_a_worker_killed_in_the_middle_leaves_one_result(
    vote, sessions, expected, name
):
    """SIGKILL after the first part was read, or the votes counted; not committed."""
    start(vote, sessions)
    program = _DIE_AT_PART.format(name=name, lane=vote.lane)
    died = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False
    )
    before = tallies(vote, sessions)
    with sessions.begin() as session:
        lost = sa.update(Job).where(Job.lane == vote.lane, Job.state == "running")
        session.execute(lost.values(lease_until=datetime.now(UTC)))
    with sessions.begin() as session:
        jobs.take_back(session, attempts_max=8, now=datetime.now(UTC))
    drain("governance", vote.lane)

    assert died.returncode == -signal.SIGKILL
    assert before == []
    assert tallies(vote, sessions) == [expected]
    assert start(vote, sessions) is None


def test_two_workers_on_one_part_count_it_once(vote, sessions, expected):
    """The slower one finds that it is done, and tries again to no effect."""
    payload = {"proposal_id": str(vote.id), "part": 0, "lane": vote.lane}
    claim, now = make_claim(tallying.TALLY, payload), datetime.now(UTC)
    with sessions() as slow, sessions() as fast:
        case_seen = tallying.read_so_far(slow, vote.id)
        with fast.begin():
            tallying.run(fast, claim, now=now)
        assert case_seen.parts == 0
    with sessions.begin() as session:
        told = tallying.run(session, claim, now=now)
    drain("governance", vote.lane)

    assert told == {"counted": 5, "of": 12}
    assert tallies(vote, sessions) == [expected]


def test_how_long_a_result_took_is_counted_once(vote, sessions, registry):
    start(vote, sessions)
    drain("governance", vote.lane)

    assert registry.get_sample_value("coin_tally_seconds_count") == 1
    # Voting closed a good month ago.
    assert registry.get_sample_value("coin_tally_seconds_sum") > 86_400
