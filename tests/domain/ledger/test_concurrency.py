"""Many writers at once, each in a transaction and a lane of its own."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier

import pytest
from sqlalchemy.exc import DBAPIError

from domain.db import create_engine, session_factory
from domain.ids import uuid7
from domain.ledger import (
    Batch,
    InsufficientCredits,
    Posted,
    balance,
    post,
    statement,
)
from domain.settings import Settings
from tests.audit import faults
from tests.factories import (
    NOW,
    fund,
    make_operation,
    make_origin,
    make_owner,
    make_transfer,
    post_one,
)

CONNECTIONS = 20
TRIES_MAX = 20
# Deadlock, and a key that another transaction stored first: tried again, it is seen.
RETRIED = {"40P01", "23505"}


@pytest.fixture(scope="module")
def sessions(database_url):
    """More sessions than one process of the application would open."""
    settings = Settings(database_url=database_url, database_pool_size=CONNECTIONS)
    engine = create_engine(settings)
    yield session_factory(engine)
    engine.dispose()


def together(count, work):
    """Call work(0), work(1), … at the same moment in as many threads."""
    start = Barrier(count)

    def begin(number):
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def commit(sessions, posting):
    """Post as a worker does: in a transaction that is tried again when disturbed."""
    for _ in range(TRIES_MAX):
        try:
            with sessions.begin() as session:
                return post_one(session, posting)
        except DBAPIError as error:
            if getattr(error.orig, "pgcode", None) not in RETRIED:
                raise
    raise AssertionError(f"disturbed {TRIES_MAX} times")


def fund_committed(sessions, owner, *, times):
    with sessions.begin() as session:
        fund(session, owner, times=times)


def balance_of(sessions, owner):
    with sessions() as session:
        found = balance(session, application="commons", owner=owner)
        return found.balance, found.version


def test_sixty_spenders_at_once_spend_no_more_than_there_is(sessions):
    owner = make_owner()
    fund_committed(sessions, owner, times=2)
    postings = [
        make_operation(make_origin(lane=lane), owner=owner, operation="CREDIT_SPEND")
        for lane in range(60)
    ]
    decisions = together(60, lambda number: commit(sessions, postings[number]))

    assert Counter(map(type, decisions)) == {Posted: 20, InsufficientCredits: 40}
    assert balance_of(sessions, owner) == (0, 22)


def test_transfers_crosswise_between_few_keep_every_credit(sessions):
    owners = [make_owner() for _ in range(4)]
    for owner in owners:
        fund_committed(sessions, owner, times=2)

    def move_about(seed):
        chance = random.Random(seed)
        for _ in range(25):
            source, target = chance.sample(owners, 2)
            amount = chance.randint(1, 9)
            commit(sessions, make_transfer(source=source, target=target, amount=amount))

    together(8, move_about)

    assert sum(balance_of(sessions, owner)[0] for owner in owners) == 80
    with sessions() as session:
        assert faults(session) == []


def test_first_writes_for_one_owner_at_once_open_one_account(sessions):
    owner, others = make_owner(), [make_owner() for _ in range(16)]
    for other in others[:8]:
        fund_committed(sessions, other, times=1)

    def write(number):
        if number < 8:
            return commit(sessions, make_transfer(source=others[number], target=owner))
        return commit(sessions, make_operation(owner=owner))

    together(16, write)

    assert balance_of(sessions, owner) == (88, 16)


def test_new_accounts_in_any_order_never_lock_each_other_out(sessions):
    """No deadlock, not even one that a second try would cure: each costs a second."""
    owners = [make_owner() for _ in range(60)]

    def open_some(seed):
        chance, origin = random.Random(seed), make_origin()
        for _ in range(4):
            postings = [
                make_operation(origin, owner=owner)
                for owner in chance.sample(owners, 20)
            ]
            with sessions.begin() as session:
                post(session, [Batch(postings)], now=NOW)

    together(12, open_some)

    assert sum(balance_of(sessions, owner)[0] for owner in owners) == 12 * 4 * 200


def test_one_write_sent_by_all_at_once_is_applied_once(sessions):
    owner, principal = make_owner(), uuid7()

    def write(_number):
        origin = make_origin(principal=principal)
        return commit(sessions, make_operation(origin, owner=owner, nonce="n"))

    decisions = together(12, write)

    assert Counter(decision.replayed for decision in decisions) == {False: 1, True: 11}
    assert len({decision.transfer for decision in decisions}) == 1
    assert balance_of(sessions, owner) == (10, 1)


def test_a_signup_claimed_by_all_at_once_is_paid_once(sessions):
    owner = make_owner()
    decisions = together(
        12,
        lambda _: commit(
            sessions, make_operation(owner=owner, operation="SIGNUP_CREDIT")
        ),
    )

    assert sum(isinstance(decision, Posted) for decision in decisions) == 1
    assert balance_of(sessions, owner) == (3, 1)


def test_a_statement_read_meanwhile_is_never_torn(sessions):
    """Every page is of one moment: its balances follow from its amounts."""
    owner, friend = make_owner(), make_owner()
    fund_committed(sessions, owner, times=3)
    torn = []

    def write_or_read(number):
        for _ in range(20):
            if number:
                commit(sessions, make_transfer(source=owner, target=friend))
                continue
            with sessions() as session:
                page = statement(
                    session, application="commons", owner=owner, limit=200
                ).items
            for newer, older in pairwise(page):
                if newer.balance_after != older.balance_after + newer.amount:
                    torn.append((older, newer))

    together(2, write_or_read)

    assert torn == []
