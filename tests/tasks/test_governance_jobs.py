"""What follows a decision as a job of the governance queue."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.registry import CollectorRegistry

from domain import jobs
from domain.governance import cases, proposals
from domain.governance.executing import EXECUTE
from domain.governance.lifecycle import Event, State
from domain.governance.refunding import REFUND
from domain.ledger import balance
from tasks import _figures
from tasks._drain import drain
from tasks._series import Series
from tests.domain.governance.test_executing import entries, fill
from tests.domain.governance.test_spending import RULES
from tests.domain.governance.votes import VOTING, ballot, make_people, make_vote, vote
from tests.factories import fund, make_user
from tests.proposals import make_spend
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
