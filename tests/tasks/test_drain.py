"""A lane is drained in order, and nothing that happens meanwhile loses or doubles."""

import random
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

import domain.db
from domain import jobs
from domain.errors import Refused
from domain.ids import transfer_id, uuid7
from domain.jobs import Outcome
from tasks import _drain, ledger, ring
from tests.audit import faults
from tests.factories import make_owner
from tests.tasks.conftest import forget
from tests.tasks.lanes import Lane, operation, succeed
from tests.waiting import eventually


@pytest.fixture
def owner():
    return make_owner()


def test_what_is_due_is_applied_in_the_order_accepted(lane, owner):
    operations = ["CREDIT_SPEND", "CREDIT_ADD", "CREDIT_SPEND"]
    lane.submit(*(lane.write(owner, name) for name in operations))
    lane.drain()

    assert lane.states() == ["refused", "succeeded", "succeeded"]
    assert [row.result["balance"] for row in lane.rows()[1:]] == [10, 9]
    assert lane.balance(owner) == (9, 2)


def test_a_refusal_is_an_outcome_and_not_tried_again(lane, owner):
    lane.submit(lane.write(owner, "CREDIT_SPEND"))
    lane.drain()
    lane.drain()

    (row,) = lane.rows()
    assert (row.state, row.attempts) == ("refused", 1)
    assert row.problem["code"] == "insufficient_credits"


def test_thousands_are_drained_in_one_turn(lane, owner):
    lane.submit(*(lane.write(owner) for _ in range(1_200)))
    lane.drain()

    assert lane.counts() == {"succeeded": 1_200}
    assert lane.balance(owner) == (12_000, 1_200)


def test_jobs_of_several_kinds_keep_their_order(lane, owner):
    principal = uuid7()
    content_id = str(transfer_id("content", principal, "n"))

    def job(kind, **payload):
        payload = {"owner_id": owner, "nonce": str(uuid7()), **payload}
        own = {"application": "content", "principal": principal}
        return lane.job(f"ledger.{kind}", payload, **own)

    lane.submit(
        job("access_content", content_id=content_id),
        job("create_content", nonce="m", title=None),
        job("post_operation", operation="CREDIT_ADD"),
        job("create_content", nonce="n", title="On bread"),
        job("access_content", content_id=content_id),
        job("reverse_transfer", transfer_id=content_id, reason="a slip"),
    )
    lane.drain()

    assert lane.states() == ["refused", "refused", *["succeeded"] * 4]


# What fails


@pytest.fixture
def poison(declare):
    """Kinds of job that post to the ledger unless one of the batch is poison."""

    def post(session, claims, *, lane, now):
        outcomes = ledger.post(session, claims, lane=lane, now=now)
        if any(claim.kind == "ledger.poison" for claim in claims):
            raise ValueError("poison")
        return outcomes

    declare("ledger.poison", batch=post)
    declare("ledger.harmless", batch=post)


@pytest.fixture
def no_luck(monkeypatch):
    """Every wait at random is as long as it can be, and longer than a turn."""
    monkeypatch.setattr("domain.jobs.recovery.random.uniform", lambda _low, high: high)
    monkeypatch.setattr("domain.jobs.recovery._BACKOFF_FIRST_SECONDS", 60.0)


def poisoned(lane, owner, *, count, at):
    for place in range(count):
        kind = "ledger.poison" if place == at else "ledger.harmless"
        yield lane.job(kind, operation(owner))


@pytest.mark.usefixtures("poison", "no_luck")
@pytest.mark.parametrize("at", [0, 249, 499])
def test_a_poisoned_job_among_five_hundred_stands_alone(lane, owner, at):
    lane.submit(*poisoned(lane, owner, count=500, at=at))
    lane.drain()

    poisonous = lane.rows()[at]
    assert lane.counts() == {"succeeded": 499, "queued": 1}
    assert (poisonous.attempts, poisonous.problem["code"]) == (1, "job_failed")
    assert lane.balance(owner) == (4_990, 499)


@pytest.mark.usefixtures("poison")
def test_a_poisoned_job_fails_after_its_attempts(lane, owner, monkeypatch):
    monkeypatch.setenv("ATTEMPTS_MAX", "3")
    lane.submit(*poisoned(lane, owner, count=3, at=1))
    for _ in range(5):
        lane.drain()
        lane.make_due()

    assert lane.states() == ["succeeded", "failed", "succeeded"]
    assert [row.attempts for row in lane.rows()] == [1, 3, 1]
    assert lane.balance(owner) == (20, 2)


@pytest.mark.usefixtures("poison", "no_luck")
def test_a_failed_attempt_waits_before_the_next(lane, owner):
    lane.submit(*poisoned(lane, owner, count=1, at=0))
    began = datetime.now(UTC)
    lane.drain()
    lane.drain()

    (row,) = lane.rows()
    assert row.attempts == 1
    assert timedelta(seconds=120) <= row.run_at - began < timedelta(seconds=150)


@pytest.mark.usefixtures("no_luck")
def test_a_kind_nobody_knows_fails_alone(lane, owner):
    lane.submit(lane.write(owner), lane.job("ledger.unheard_of"), lane.write(owner))
    lane.drain()

    assert lane.states() == ["succeeded", "queued", "succeeded"]
    assert lane.rows()[1].attempts == 1
    assert lane.balance(owner) == (20, 2)


@pytest.mark.usefixtures("no_luck")
@pytest.mark.parametrize("payload", [{}, [], None, {"owner_id": 1, "operation": "x"}])
def test_a_payload_without_sense_fails_alone(lane, owner, payload):
    senseless = lane.job("ledger.post_operation", payload)
    lane.submit(lane.write(owner), senseless, lane.write(owner))
    lane.drain()

    assert lane.states() == ["succeeded", "queued", "succeeded"]
    assert lane.balance(owner) == (20, 2)


def test_a_handler_that_raises_a_refusal_fails_its_jobs_alone(lane, owner, declare):
    def refuse(_session, _claims, **_others):
        raise Refused

    declare("ledger.refusing", batch=refuse)
    lane.submit(lane.job("ledger.refusing"), lane.write(owner))
    lane.drain()

    assert lane.states() == ["queued", "succeeded"]


def test_too_long_a_statement_parts_the_batch_until_it_is_short_enough(
    lane, declare, monkeypatch
):
    """Even where the first try alone outlasts the turn."""

    def sleep(session, claims, **_others):
        session.execute(sa.text("SELECT pg_sleep(:s)"), {"s": 0.01 * len(claims)})
        return succeed(claims)

    declare("ledger.sleep", batch=sleep)
    monkeypatch.setattr(domain.db, "_STATEMENT_MS", 150)
    monkeypatch.setattr(_drain, "TURN_SECONDS", 0.1)
    lane.submit(*(lane.job("ledger.sleep") for _ in range(60)))
    for _ in range(20):
        lane.drain()

    assert lane.counts() == {"succeeded": 60}
    assert {row.attempts for row in lane.rows()} == {1}


# What disturbs


def test_a_connection_killed_in_mid_batch_is_opened_again(lane, owner, declare, kill):
    tries = []

    def post(session, claims, *, lane, now):
        outcomes = ledger.post(session, claims, lane=lane, now=now)
        tries.append(len(claims))
        if len(tries) < 3:
            kill(session)
        return outcomes

    declare("ledger.disturbed", batch=post)
    lane.submit(*(lane.job("ledger.disturbed", operation(owner)) for _ in range(20)))
    lane.drain()

    assert tries == [20, 20, 20]
    assert {row.attempts for row in lane.rows()} == {1}
    assert lane.balance(owner) == (200, 20)


def test_a_connection_killed_at_commit_is_opened_again(lane, owner, declare, kill):
    killed = []

    def post(session, claims, *, lane, now):
        @sa.event.listens_for(session, "before_commit", once=True)
        def before_commit(session):
            if not killed:
                killed.append(lane)
                kill(session)

        return ledger.post(session, claims, lane=lane, now=now)

    declare("ledger.disturbed", batch=post)
    lane.submit(lane.job("ledger.disturbed", operation(owner)))
    lane.drain()

    assert killed == [lane.number]
    assert lane.states() == ["succeeded"]
    assert lane.balance(owner) == (10, 1)


def test_a_connection_lost_after_the_work_does_not_fail_the_task(
    lane, owner, kill, monkeypatch
):
    """The second look is a question of its own."""
    real, killed = _drain._pending, []

    def pending(queue, lane):
        if not killed:
            killed.append(lane)
            with _drain.sessions()() as session:
                kill(session)
        return real(queue, lane)

    monkeypatch.setattr(_drain, "_pending", pending)
    lane.submit(lane.write(owner))
    lane.drain()

    assert killed == [lane.number]
    assert lane.states() == ["succeeded"]


def test_a_database_that_stays_away_is_given_up_and_nothing_is_lost(
    lane, owner, monkeypatch
):
    lane.submit(lane.write(owner))
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr(_drain, "_DISTURBED_SECONDS", 0.01)
    forget()
    lane.drain()

    assert lane.states() == ["queued"]


def test_outcomes_that_do_not_fit_are_not_stored(lane, owner, declare, monkeypatch):
    def confuse(session, claims, *, lane, now):
        ledger.post(session, claims, lane=lane, now=now)
        return [Outcome(uuid7(), result={}) for _ in claims]

    declare("ledger.confused", batch=confuse)
    monkeypatch.setattr(_drain, "_DISTURBED_SECONDS", 0.01)
    lane.submit(lane.job("ledger.confused", operation(owner)))
    lane.drain()

    assert lane.states() == ["queued"]
    assert lane.balance(owner) == (0, 0)


# Several workers


def test_a_lane_held_by_another_is_left_to_it(sessions, lane, owner):
    lane.submit(lane.write(owner))
    with sessions() as other:
        assert jobs.hold_lane(other, queue="ledger", lane=lane.number)
        lane.drain()
        meanwhile = lane.states()
    lane.drain()

    assert (meanwhile, lane.states()) == (["queued"], ["succeeded"])


def test_a_doorbell_answered_while_the_lane_is_held_is_not_lost(lane, owner, declare):
    entered, leave = threading.Event(), threading.Event()

    def wait(_session, claims, **_others):
        entered.set()
        assert leave.wait(10)
        return succeed(claims)

    declare("ledger.wait", batch=wait)
    lane.submit(lane.job("ledger.wait"))
    holder = threading.Thread(target=lane.drain)
    holder.start()
    assert entered.wait(10)
    lane.submit(lane.write(owner))
    lane.drain()  # the lane is held: this doorbell is spent
    leave.set()
    holder.join()

    assert lane.states() == ["succeeded", "succeeded"]


def test_a_job_stored_while_the_holder_finds_nothing_is_not_lost(
    lane, owner, monkeypatch
):
    """It came after the last look and rang before the lane was free."""
    real, late = _drain._step, [lane.write(owner)]

    def step(queue, number, limit):
        count = real(queue, number, limit)
        if count == 0 and late:
            lane.submit(late.pop())
        return count

    monkeypatch.setattr(_drain, "_step", step)
    lane.drain()

    assert lane.states() == ["succeeded"]


def test_a_turn_that_is_over_rings_for_the_rest(broker, lane, owner, monkeypatch):
    monkeypatch.setattr(_drain, "TURN_SECONDS", 0.0)
    lane.submit(lane.write(owner))
    lane.drain()

    assert lane.states() == ["queued"]
    assert broker.llen("coin:ledger") == 1


def test_a_lane_being_drained_can_be_rung_for_anew(broker, lane):
    ring("ledger", lane.number)
    lane.drain()
    ring("ledger", lane.number)

    assert broker.llen("coin:ledger") == 2


def test_a_lane_drained_to_the_end_does_not_ring(broker, lane, owner):
    lane.submit(lane.write(owner))
    lane.drain()

    assert broker.llen("coin:ledger") == 0


@pytest.mark.parametrize("seed", range(3))
def test_doorbells_doubled_lost_and_out_of_order_change_nothing(sessions, seed):
    """Four workers answer any lane at any time; what is owed to each owner stays."""
    chance = random.Random(seed)
    lanes = [Lane(sessions) for _ in range(3)]
    owners = {lane: [make_owner() for _ in range(4)] for lane in lanes}
    owed, over = Counter(), threading.Event()

    def answer(seed):
        own = random.Random(seed)
        while not over.is_set():
            own.choice(lanes).drain()

    workers = [threading.Thread(target=answer, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(60):
        lane = chance.choice(lanes)
        batch = [chance.choice(owners[lane]) for _ in range(chance.randint(1, 12))]
        lane.submit(*map(lane.write, batch))
        owed.update(batch)
    for lane in lanes:
        eventually(lambda lane=lane: lane.counts().keys() == {"succeeded"})
    over.set()
    for worker in workers:
        worker.join()

    assert {owner: lanes[0].balance(owner) for owner in owed} == {
        owner: (10 * count, count) for owner, count in owed.items()
    }
    assert {row.attempts for lane in lanes for row in lane.rows()} == {1}
    with sessions() as session:
        assert faults(session) == []
