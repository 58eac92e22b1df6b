"""What follows a decision as a job of the governance queue."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from prometheus_client.registry import CollectorRegistry

from domain import jobs
from domain.governance import advancing, cases, freezing, proposals
from domain.governance.executing import EXECUTE
from domain.governance.lifecycle import Event, State
from domain.governance.refunding import REFUND
from domain.jobs import Job
from domain.ledger import balance
from tasks import _figures
from tasks._drain import drain
from tasks._series import Series
from tasks.governance import advance
from tests.databases import ROOT
from tests.domain.governance.test_executing import entries, fill
from tests.domain.governance.test_spending import RULES
from tests.domain.governance.votes import VOTING, ballot, make_people, make_vote, vote
from tests.factories import fund, make_claim, make_user
from tests.proposals import make_open, make_spend
from tests.tasks.lanes import Lane

DAY = timedelta(days=1)


class GovernanceLane(Lane):
    """A lane of the governance queue."""

    def execute(self, proposal_id, times=1):
        payload = {"proposal_id": str(proposal_id)}
        made = [
            self.job(EXECUTE, payload, queue="governance", application=None)
            for _ in range(times)
        ]
        self.submit(*made)

    def drain(self):
        drain("governance", self.number)

    def take_back(self):
        """Let the lease of whoever died have run out."""
        now = datetime.now(UTC)
        lost = sa.update(Job).where(Job.lane == self.number, Job.state == "running")
        with self._sessions.begin() as session:
            session.execute(lost.values(lease_until=now))
        with self._sessions.begin() as session:
            jobs.take_back(session, attempts_max=8, now=now)
        self.make_due()


@pytest.fixture
def lane(sessions):
    return GovernanceLane(sessions)


@pytest.fixture
def registry():
    registry = CollectorRegistry()
    _figures.use(Series(registry))
    yield registry
    _figures.use(None)


@pytest.fixture
def spend(sessions):
    """Return a maker of spends whose vote closed so many days ago."""

    def make(days, **fields):
        with sessions.begin() as session:
            fill(session, {0: 50})
            member = make_user(session).id
            closed_at = datetime.now(UTC) - days * DAY
            case = make_spend(session, to=member, closed_at=closed_at, **fields)
        return case.row.id, member

    return make


def received(sessions, member):
    with sessions() as session:
        return entries(session, member)


def state_of(sessions, proposal_id):
    with sessions() as session:
        case = cases.find(session, proposal_id)
        return case.state(datetime.now(UTC)), case.row.announced


def test_a_spend_whose_time_has_come_is_posted_counted_and_told(
    lane, sessions, spend, registry
):
    proposal_id, member = spend(3, amount=20)
    lane.execute(proposal_id)
    lane.drain()

    (row,) = lane.rows()
    assert (row.state, row.result["executed"]) == ("succeeded", True)
    assert received(sessions, member) == [20]
    assert state_of(sessions, proposal_id) == (State.EXECUTED, "executed")
    labels = {"application": "commons", "operation": "TRANSFER"}
    assert registry.get_sample_value("coin_operations_total", labels) == 1


def test_however_many_jobs_there_are_for_it_it_is_posted_once(lane, sessions, spend):
    proposal_id, member = spend(3, amount=20)
    lane.execute(proposal_id, times=3)
    lane.drain()

    assert lane.states() == ["succeeded"] * 3
    assert [row.result["executed"] for row in lane.rows()] == [True, False, False]
    assert received(sessions, member) == [20]


@pytest.mark.parametrize(("days", "state"), [(1, "queued"), (20, "expired")])
def test_before_the_timelock_and_after_the_grace_the_job_does_nothing(
    lane, sessions, spend, days, state
):
    proposal_id, member = spend(days)
    lane.execute(proposal_id)
    lane.drain()

    assert [row.result for row in lane.rows()] == [{"executed": False}]
    assert received(sessions, member) == []
    assert state_of(sessions, proposal_id) == (state, state)


def test_a_job_says_why_the_treasury_could_not_pay(lane, sessions, spend):
    proposal_id, member = spend(3, amount=2**50)
    lane.execute(proposal_id)
    lane.drain()

    (row,) = lane.rows()
    assert row.result["obstacle"]["code"] == "insufficient_credits"
    assert received(sessions, member) == []
    assert state_of(sessions, proposal_id) == (State.QUEUED, "queued")


def test_a_worker_that_dies_in_the_middle_leaves_it_to_the_next(
    lane, sessions, spend, kill, declare_dying
):
    proposal_id, member = spend(3, amount=20)
    declare_dying(kill)
    lane.execute(proposal_id)
    for _ in range(3):
        lane.drain()
        lane.make_due()

    (row,) = lane.rows()
    assert (row.state, row.attempts) == ("succeeded", 2)
    assert received(sessions, member) == [20]


_DIE = """
import os, signal
from domain.governance import executing
whole = executing.{name}

def dying(*arguments, **named):
    done = whole(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
    return done

executing.{name} = dying
from tasks._drain import drain
drain("governance", {lane})
"""


@pytest.mark.parametrize("name", ["spend", "happen", "execute"])
def test_a_worker_killed_while_it_carries_out_leaves_one_transfer(
    lane, sessions, spend, name
):
    """SIGKILL after the transfer, after the event, after all of it; not committed."""
    proposal_id, member = spend(3, amount=20)
    lane.execute(proposal_id)
    program = _DIE.format(name=name, lane=lane.number)
    died = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False
    )
    before = received(sessions, member)
    lane.take_back()
    lane.drain()

    assert died.returncode == -signal.SIGKILL
    assert before == []
    assert lane.states() == ["succeeded"]
    assert received(sessions, member) == [20]


@pytest.fixture
def cancelled(sessions):
    """Return a proposal that was cancelled, and who had paid 16 credits to vote."""
    with sessions.begin() as session:
        (voter,) = make_people(session, 1)
        fund(session, str(voter), times=2)
        proposal_id = make_vote(session, [voter], **RULES)
        vote(session, ballot(proposal_id, voter, {"ada": 4}))
        author = cases.find(session, proposal_id).row.author
        proposals.cancel(session, proposal_id, actor=author, reason="no", now=VOTING)
    return proposal_id, voter


def test_what_votes_cost_comes_back_once_though_a_worker_dies(
    lane, sessions, cancelled, kill, declare_dying
):
    proposal_id, voter = cancelled
    declare_dying(kill)
    for _ in range(20):
        lane.submit(lane.job(REFUND, queue="governance", application=None))
        lane.drain()
        lane.make_due()
        with sessions() as session:
            if Event.REFUNDED in cases.find(session, proposal_id).events:
                break
    lane.drain()

    assert set(lane.states()) == {"succeeded"}
    assert received(sessions, voter)[:2] == [16, -16]
    with sessions() as session:
        assert balance(session, application="commons", owner=str(voter)).balance == 20


@pytest.fixture
def declare_dying(monkeypatch):
    """Cut the first session that has carried something out, before it commits."""

    def declare(kill):
        finish, dead = jobs.finish_leased, []

        def dying(session, *given, **named):
            if not dead:
                dead.append(session)
                kill(session)
            return finish(session, *given, **named)

        monkeypatch.setattr("tasks._leases.jobs.finish_leased", dying)

    return declare


# What comes round


@pytest.fixture(autouse=True)
def room_for_all(monkeypatch):
    """Whatever other tests have left to do."""
    monkeypatch.setattr("tasks.governance._PROPOSALS_MAX", 100_000)


def test_what_fails_for_one_proposal_holds_up_no_other(sessions, monkeypatch):
    """As when the electorate of one is too large to be frozen in half a minute."""
    opened = datetime.now(UTC) - 5 * DAY
    with sessions.begin() as session:
        broken, whole = (make_open(session, now=opened).row.id for _ in range(2))
    freeze = freezing.freeze

    def failing(session, case, *, now):
        made = freeze(session, case, now=now)
        if case.row.id == broken:
            raise RuntimeError("too many")
        return made

    monkeypatch.setattr(freezing, "freeze", failing)
    with sessions.begin() as session:
        told = advance(session, make_claim(), now=datetime.now(UTC))

    assert told["failed"] >= 1
    assert frozen(sessions, whole)
    assert not frozen(sessions, broken)
    assert state_of(sessions, whole) == (State.VOTING, "voting")
    monkeypatch.setattr(freezing, "freeze", freeze)
    with sessions.begin() as session:
        advance(session, make_claim(), now=datetime.now(UTC))
    assert frozen(sessions, broken)


def frozen(sessions, proposal_id):
    with sessions() as session:
        return cases.find(session, proposal_id).freeze is not None


def test_each_proposal_is_let_go_before_the_next_is_taken(sessions, monkeypatch):
    """Ballots on the first are not kept waiting until the last is done."""
    opened = datetime.now(UTC) - 5 * DAY
    with sessions.begin() as session:
        first, last = sorted(make_open(session, now=opened).row.id for _ in range(2))
    whole, let_go = advancing.advance, []

    def looking(session, proposal_id, **named):
        if proposal_id == last:
            let_go.append(frozen(sessions, first))
        return whole(session, proposal_id, **named)

    monkeypatch.setattr(advancing, "advance", looking)
    with sessions.begin() as session:
        advance(session, make_claim(), now=datetime.now(UTC))
    assert let_go == [True]
