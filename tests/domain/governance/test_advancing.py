"""What is due is done: a freeze, a count, a deed, the news, each once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from domain.governance import advancing, announcing, cases, proposals
from domain.governance.executing import EXECUTE
from domain.governance.lifecycle import State
from domain.governance.tallying import TALLY
from domain.jobs import Job
from tests.factories import NOW
from tests.proposals import make_open, make_spend
from tests.waiting import eventually, somebody_waits

MINUTE = timedelta(minutes=1)
# treasury_spend: two days of timelock.
EXECUTABLE = NOW + timedelta(hours=48)


def advance(session, case, *, now):
    return list(advancing.advance(session, case.row.id, lanes=1, now=now))


def jobs_of(session, case, kind):
    about = Job.payload["proposal_id"].as_string() == str(case.row.id)
    return session.scalars(sa.select(Job).where(Job.kind == kind, about)).all()


def due(session, *, now, count=10_000):
    return announcing.due(session, now=now, count=count)


@pytest.fixture
def case(session):
    case = make_open(session)
    announcing.announce(session, case.row.id, now=NOW)
    return case


@pytest.fixture
def spend(session):
    case = make_spend(session)
    announcing.announce(session, case.row.id, now=NOW)
    return case


def test_before_its_time_nothing_is_done(session, case):
    assert advance(session, case, now=case.timeline.frozen - MINUTE) == []


def test_when_voting_opens_it_is_frozen_and_told_once(session, case):
    times = case.timeline
    done = [advance(session, case, now=times.voting + n * MINUTE) for n in range(2)]

    assert done == [["frozen", "announced"], []]
    found = cases.find(session, case.row.id)
    assert (found.freeze.at, found.row.announced) == (times.voting, "voting")


def test_when_voting_closes_its_count_begins_once(session, case):
    closes = case.timeline.closes
    first, again = (advance(session, case, now=closes + n * MINUTE) for n in range(2))

    assert first == ["frozen", "counting", "announced"]
    assert again == ["counting"]
    assert len(jobs_of(session, case, TALLY)) == 1


def test_what_is_counted_is_out_of_the_way_of_others(session, case):
    closes = case.timeline.closes
    assert case.row.id in due(session, now=closes)
    advance(session, case, now=closes)

    assert case.row.id not in due(session, now=closes)


def test_what_is_executable_is_tried_once_in_five_minutes(session, spend):
    tries = [0, 1, 4, 5, 9, 10]
    done = [advance(session, spend, now=EXECUTABLE + n * MINUTE) for n in tries]

    once, not_again = ["to_execute"], []
    assert done == [once, not_again, not_again, once, not_again, once]
    assert len(jobs_of(session, spend, EXECUTE)) == 3


def test_before_its_timelock_is_over_nobody_tries_it(session, spend):
    assert advance(session, spend, now=EXECUTABLE - timedelta.resolution) == []
    assert jobs_of(session, spend, EXECUTE) == []


def test_what_is_tried_in_vain_makes_room_for_the_younger(session):
    """Each round takes two: spends nobody can pay do not fill all of them."""
    others = len(due(session, now=EXECUTABLE))
    spends = [make_spend(session, amount=2**40) for _ in range(5)]
    for case in spends:
        announcing.announce(session, case.row.id, now=NOW)
    ours, seen = {case.row.id for case in spends}, []
    for _ in range(3):
        found = due(session, now=EXECUTABLE, count=others + 2)
        for proposal_id in ours.intersection(found):
            seen.append(proposal_id)
            list(advancing.advance(session, proposal_id, lanes=1, now=EXECUTABLE))

    assert sorted(seen) == sorted(ours)
    assert not ours & set(due(session, now=EXECUTABLE))
    assert ours <= set(due(session, now=EXECUTABLE + 5 * MINUTE))


def test_what_was_cancelled_meanwhile_is_not_told_to_be_voted_on(sessions):
    """Who advances a proposal waits for who cancels it, and looks then."""
    with sessions.begin() as session:
        case = make_open(session)
    voting = case.timeline.voting

    def advance_it():
        with sessions.begin() as session:
            return advance(session, case, now=voting)

    with ThreadPoolExecutor(1) as pool:
        with sessions.begin() as session:
            said = {"actor": case.row.author, "reason": "no", "now": voting}
            proposals.cancel(session, case.row.id, **said)
            announcing.announce(session, case.row.id, now=voting)
            begun = pool.submit(advance_it)
            eventually(lambda: begun.done() or somebody_waits(sessions))
        assert begun.result(30) == []
    with sessions() as session:
        assert cases.find(session, case.row.id).row.announced == "cancelled"


# What it costs to look


def test_what_is_under_way_is_found_by_its_index(session):
    session.execute(sa.text("SET LOCAL enable_seqscan = off"))
    session.execute(sa.text("SET LOCAL enable_bitmapscan = off"))
    query = announcing.under_way().compile(compile_kwargs={"literal_binds": True})
    plan = session.scalars(sa.text(f"EXPLAIN {query}")).all()

    assert any("proposals_live" in line for line in plan)


def test_of_what_is_under_way_no_long_text_is_read(session, case):
    session.expunge_all()
    found = cases.cases(session, [case.row.id], brief=True)[case.row.id]
    unread = sa.inspect(found.text).unloaded

    assert found.state(NOW) is State.DISCUSSION
    assert {"description", "details"} <= unread
    assert found.text.description == case.text.description
