"""What has passed is carried out once, in its time, and never beyond the treasury."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.db import create_engine, session_factory
from domain.governance import cases, executing, types, vetoing
from domain.governance.lifecycle import Event, State
from domain.governance.parameters import Deed
from domain.ids import uuid7
from domain.ledger import (
    ISSUANCE,
    TREASURY,
    AccountKey,
    Batch,
    Posting,
    balance,
    post,
    statement,
    trial_balance,
)
from domain.settings import Settings
from tests import databases
from tests.domain.governance.test_proposals import change_of
from tests.domain.governance.test_vetoing import make_guardian
from tests.factories import NOW, make_user
from tests.governance_time import age
from tests.proposals import make_decided, make_spend

HOUR = timedelta(hours=1)
# treasury_spend: two days of timelock, two weeks of grace.
EXECUTABLE = NOW + 48 * HOUR
EXPIRES = EXECUTABLE + 14 * 24 * HOUR
LANE = 3


def fill(session, amounts):
    """Put credits into shards of the treasury."""
    postings = [
        Posting(
            id=uuid7(),
            job_id=uuid7(),
            operation="TRANSFER",
            debit=AccountKey("commons", ISSUANCE, shard),
            credit=AccountKey("commons", TREASURY, shard),
            amount=amount,
            nonce=str(uuid7()),
            subject=AccountKey("commons", TREASURY, shard),
        )
        for shard, amount in amounts.items()
        if amount
    ]
    post(session, [Batch(postings)], now=NOW)


def held(session, owner=TREASURY):
    return balance(session, application="commons", owner=str(owner)).balance


def entries(session, owner):
    found = statement(session, application="commons", owner=str(owner), limit=50)
    return [row.amount for row in found.items]


def execute(session, case, *, now=EXECUTABLE):
    return executing.execute(session, case.row.id, lane=LANE, now=now)


def state_of(session, case, *, now=EXECUTABLE):
    return cases.find(session, case.row.id).state(now)


# When


def test_a_spend_is_one_transfer_to_the_member(session):
    member = make_user(session).id
    fill(session, {0: 10})
    before = held(session)
    done = execute(session, make_spend(session, to=member, amount=7))

    assert done["executed"] is True
    assert (done["to"], done["amount"]) == (str(member), 7)
    assert entries(session, member) == [7]
    assert held(session) == before - 7
    assert trial_balance(session, application="commons").sum == 0


@pytest.mark.parametrize("retries", [1, 3])
def test_however_often_it_is_tried_again_it_is_carried_out_once(session, retries):
    fill(session, {0: 10})
    member = make_user(session).id
    case = make_spend(session, to=member, amount=2)

    tries = [execute(session, case, now=EXECUTABLE + n * HOUR) for n in range(retries)]
    assert tries[1:] == [None] * (retries - 1)
    assert execute(session, case) is None
    assert entries(session, member) == [2]
    assert state_of(session, case) is State.EXECUTED


@pytest.mark.parametrize(
    "now",
    [
        *(NOW - HOUR, NOW, EXECUTABLE - timedelta(microseconds=1)),
        *(EXPIRES, EXPIRES + 9_000 * HOUR),
    ],
)
def test_nothing_is_done_before_the_timelock_or_after_the_grace(session, now):
    fill(session, {0: 10})
    case, before = make_spend(session), held(session)

    assert execute(session, case, now=now) is None
    assert held(session) == before
    assert Event.EXECUTED not in cases.find(session, case.row.id).events


def test_in_the_last_instant_of_its_grace_it_is_still_done(session):
    fill(session, {0: 10})

    done = execute(session, make_spend(session), now=EXPIRES - timedelta.resolution)
    assert done["executed"] is True


def test_what_failed_or_was_vetoed_is_never_carried_out(session):
    fill(session, {0: 10})
    failed = make_spend(session, passed=False)
    vetoed = make_spend(session)
    cases.happen(session, vetoed.row.id, Event.VETOED, now=NOW)
    before = held(session)

    for now in (NOW, EXECUTABLE, EXPIRES):
        for case in (failed, vetoed):
            assert execute(session, case, now=now) is None
    assert held(session) == before
    assert state_of(session, vetoed) is State.VETOED


def test_who_has_left_gets_nothing_and_it_is_said_why(session):
    fill(session, {0: 10})
    member = make_user(session)
    case = make_spend(session, to=member.id)
    member.deleted_at = NOW
    session.flush()

    done = execute(session, case)
    assert (done["executed"], done["obstacle"]["code"]) == (False, "bad_proposal")
    assert state_of(session, case) is State.QUEUED


# How much


def test_it_comes_from_all_shards_and_one_transfer_goes_to_the_member(session):
    fill(session, {0: 3, 1: 4, 2: 5})
    member, total = make_user(session).id, held(session)
    execute(session, make_spend(session, to=member, amount=total))

    assert held(session) == 0
    assert entries(session, member) == [total]
    assert trial_balance(session, application="commons").sum == 0


def test_while_the_treasury_has_less_it_waits_and_says_so(session):
    case = make_spend(session, amount=held(session) + 5)
    waited = execute(session, case)
    found = cases.find(session, case.row.id)

    assert waited["executed"] is False
    assert waited["obstacle"]["code"] == "insufficient_credits"
    assert executing.obstacle(session, found, now=EXECUTABLE) == waited["obstacle"]
    assert waited["obstacle"]["needed"] - waited["obstacle"]["available"] == 5
    assert state_of(session, case) is State.QUEUED
    fill(session, {2: 5})
    assert executing.obstacle(session, found, now=EXECUTABLE) is None
    assert execute(session, case, now=EXECUTABLE + HOUR)["executed"] is True
    assert held(session) == 0


@settings(max_examples=30)
@given(
    shards=st.dictionaries(st.integers(0, 4), st.integers(0, 40), max_size=4),
    amounts=st.lists(st.integers(1, 50), max_size=6),
)
def test_whatever_is_spent_the_treasury_is_never_overdrawn(engine, shards, amounts):
    with databases.rolled_back(engine) as session:
        fill(session, shards)
        member, model = make_user(session).id, held(session)
        spent = []
        for amount in amounts:
            done = execute(session, make_spend(session, to=member, amount=amount))
            assert done["executed"] is (amount <= model)
            if amount <= model:
                model -= amount
                spent.insert(0, amount)
            assert held(session) == model
        assert entries(session, member) == spent
        assert trial_balance(session, application="commons").sum == 0


# Once, however many try


def execute_alone(url, proposal_ids):
    """Try to carry out each of these as another process does; count what was done."""
    engine = create_engine(Settings(database_url=url))
    done = 0
    for proposal_id in proposal_ids:
        with session_factory(engine).begin() as session:
            found = executing.execute(session, proposal_id, lane=LANE, now=EXECUTABLE)
            done += found is not None and found["executed"]
    engine.dispose()
    return done


def test_two_processes_carry_out_each_of_many_spends_once(new_database):
    with new_database() as url:
        engine = create_engine(Settings(database_url=url))
        with session_factory(engine).begin() as session:
            fill(session, {0: 9, LANE: 9, 7: 9})
            member = make_user(session).id
            spends = [make_spend(session, to=member, amount=2) for _ in range(12)]
            ids = [case.row.id for case in spends]
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            tries = [pool.submit(execute_alone, url, order) for order in (ids, ids)]
            done = [one.result(60) for one in tries]
        with session_factory(engine)() as session:
            assert sum(done) == 12
            assert entries(session, member) == [2] * 12
            assert held(session) == 3
        engine.dispose()


def test_of_a_veto_and_the_deed_at_once_one_comes_first_and_the_other_not_at_all(
    new_database,
):
    with new_database() as url, ThreadPoolExecutor(2) as pool:
        engine = create_engine(Settings(database_url=url))
        make = session_factory(engine)
        with make.begin() as session:
            fill(session, {0: 40})
            guardian = make_guardian(session)
            spends = [make_spend(session, amount=2) for _ in range(10)]

        def veto(case):
            with make.begin() as session:
                said = {"actor": guardian, "reason": "no", "now": EXECUTABLE}
                vetoing.veto(session, case.row.id, **said)

        for case in spends:
            vetoed = pool.submit(veto, case)
            done = pool.submit(execute_alone, url, [case.row.id]).result(30)
            assert (vetoed.exception(30) is None) is not bool(done)
            with make() as session:
                happened = cases.find(session, case.row.id).events.keys()
            assert len(happened & {Event.VETOED, Event.EXECUTED}) == 1
        with make() as session:
            paid = sum(state_of(session, one) is State.EXECUTED for one in spends)
            assert held(session) == 40 - 2 * paid
        engine.dispose()


def test_a_transaction_that_is_lost_leaves_nothing_and_the_next_does_it(
    new_database, kill_in_the_middle
):
    with new_database() as url:
        engine = create_engine(Settings(database_url=url))
        make = session_factory(engine)
        with make.begin() as session:
            fill(session, {0: 9})
            member = make_user(session).id
            case = make_spend(session, to=member, amount=2)
        kill_in_the_middle(make, lambda session: execute(session, case))
        with make() as session:
            assert entries(session, member) == []
            assert state_of(session, case) is State.QUEUED
        with make.begin() as session:
            assert execute(session, case)["executed"] is True
        with make() as session:
            assert entries(session, member) == [2]
        engine.dispose()


@pytest.fixture
def kill_in_the_middle():
    def kill(make, work):
        session = make()
        work(session)
        session.connection().invalidate()
        session.close()

    return kill


# Rules


def decide_change(session, **change):
    details = change_of(session, "simple_majority", **change)
    return make_decided(session, type_name="bylaw_change", details=details)


def executable(case):
    return case.timeline.executable


def test_rules_hold_from_when_they_are_carried_out_and_name_who_made_them(session):
    before = types.current(session, "simple_majority")
    case = decide_change(session, voting_days=11)
    assert types.current(session, "simple_majority").version == before.version
    done = execute(session, case, now=executable(case))
    after = types.current(session, "simple_majority")

    assert done == {
        "executed": True,
        "type": "simple_majority",
        "version": before.version + 1,
    }
    assert after.parameters == replace(before.parameters, voting_days=11)
    assert after.changed_by == case.row.id


def test_what_could_not_be_changed_any_more_is_not(session):
    """Two that pass together may together shut the rules: the second waits, in vain."""
    other = change_of(session, "second", rank=9, deed=Deed.PARAMETERS)
    first = make_decided(session, type_name="bylaw_change", details=other)
    assert execute(session, first, now=executable(first))["executed"]
    bylaws = change_of(session, "bylaw_change", deed=Deed.NONE)
    second = change_of(session, "second", deed=Deed.NONE)
    both = [
        make_decided(session, type_name="bylaw_change", details=details)
        for details in (bylaws, second)
    ]
    done = [execute(session, case, now=executable(case)) for case in both]

    assert [one["executed"] for one in done] == [True, False]
    assert "ever change" in done[1]["obstacle"]["detail"]


# Time travel, for tests over HTTP


def test_what_is_aged_was_opened_earlier_and_nothing_else_changes(session):
    case = make_spend(session)
    before = case.describe(NOW)
    age(session, case.row.id, days=3)
    after = cases.find(session, case.row.id)

    assert after.timeline.opened == case.timeline.opened - timedelta(days=3)
    assert after.state(NOW) is State.QUEUED
    assert after.describe(NOW)["details"] == before["details"]
    fill(session, {0: 1})
    assert execute(session, case, now=EXECUTABLE - 3 * 24 * HOUR)["executed"] is True
