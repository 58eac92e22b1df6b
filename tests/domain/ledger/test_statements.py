from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import uuid7
from domain.ledger import (
    Balance,
    Batch,
    NoSuchTransfer,
    balance,
    find_transfer,
    post,
    statement,
    trial_balance,
)
from domain.pages import Position
from tests import databases
from tests.factories import (
    NOW,
    fund,
    make_lane,
    make_operation,
    make_origin,
    make_owner,
    make_transfer,
    post_one,
)

SECOND = timedelta(seconds=1)


@pytest.fixture
def owner():
    return make_owner()


def of(owner, **others):
    return {"application": "commons", "owner": owner, **others}


def versions(page):
    return [row.version for row in page.items]


# Balances


def test_an_owner_nobody_has_written_for_has_nothing(session, owner):
    assert balance(session, **of(owner)) == Balance(0, 0, None)
    assert balance(session, **of(owner, at=NOW)) == Balance(0, 0, None)


def test_a_balance_says_when_it_was_last_changed(session, owner):
    fund(session, owner, now=NOW)
    fund(session, owner, now=NOW + SECOND)

    assert balance(session, **of(owner)) == Balance(20, 2, NOW + SECOND)


def test_a_balance_can_be_had_as_it_was(session, owner):
    for seconds in (0, 10, 20):
        fund(session, owner, now=NOW + seconds * SECOND)
    post_one(session, make_transfer(source=owner, target=make_owner(), amount=4))

    def at(seconds):
        return balance(session, **of(owner, at=NOW + seconds * SECOND))

    assert at(-1) == Balance(0, 0, None)
    assert at(0) == at(9) == Balance(10, 1, NOW)
    assert at(10) == Balance(20, 2, NOW + 10 * SECOND)
    assert at(20) == at(10**6) == balance(session, **of(owner))


def test_writes_of_one_moment_count_together(session, owner):
    fund(session, owner, times=3, now=NOW)

    assert balance(session, **of(owner, at=NOW)) == Balance(30, 3, NOW)
    before = balance(session, **of(owner, at=NOW - timedelta(microseconds=1)))
    assert before == Balance(0, 0, None)


def test_a_system_account_is_the_sum_of_its_lanes(session, owner):
    was = balance(session, **of("@issuance"))
    for _ in range(3):
        fund(session, owner, origin=make_origin(lane=make_lane()))
    now = balance(session, **of("@issuance"))

    assert (now.balance - was.balance, now.version - was.version) == (-30, 3)


def test_a_system_account_can_be_had_as_it_was(session, owner):
    issuance = of("@issuance", at=NOW + SECOND)
    was = balance(session, **issuance)
    for seconds in (0, 1, 2):
        origin = make_origin(lane=make_lane())
        fund(session, owner, origin=origin, now=NOW + seconds * SECOND)

    assert balance(session, **issuance).balance == was.balance - 20


# Statements


def test_a_statement_shows_both_ways_of_moving_newest_first(session, owner):
    friend = make_owner("friend")
    fund(session, owner)
    transfer = make_transfer(
        source=owner, target=friend, amount=4, metadata={"for": "tea"}
    )
    post_one(session, transfer)
    spent, given = statement(session, **of(owner), limit=10).items

    assert (spent.amount, spent.balance_after, spent.version) == (-4, 6, 2)
    assert (spent.operation, spent.counterparty) == ("TRANSFER", friend)
    assert (spent.nonce, spent.metadata) == (transfer.nonce, {"for": "tea"})
    assert (given.amount, given.balance_after, given.version) == (10, 10, 1)
    assert (given.operation, given.counterparty) == ("CREDIT_ADD", "@issuance")


def test_the_other_side_sees_the_same_transfer(session, owner):
    friend = make_owner("friend")
    fund(session, owner)
    posted = post_one(session, make_transfer(source=owner, target=friend, amount=4))
    entry = statement(session, **of(friend), limit=10).items[0]

    assert entry.transfer_id == posted.transfer.id
    assert (entry.amount, entry.balance_after) == (4, 4)


def test_a_statement_is_of_one_application(session, owner):
    fund(session, owner, origin=make_origin(application="content"))

    assert statement(session, **of(owner), limit=10).items == []


def test_a_statement_can_be_of_one_operation(session, owner):
    fund(session, owner, times=2)
    post_one(session, make_operation(owner=owner, operation="CREDIT_SPEND"))

    page = statement(session, **of(owner), operation="CREDIT_SPEND", limit=10)
    assert versions(page) == [3]


def test_since_counts_and_until_does_not(session, owner):
    for seconds in range(4):
        fund(session, owner, now=NOW + seconds * SECOND)

    page = statement(
        session,
        **of(owner),
        since=NOW + SECOND,
        until=NOW + 3 * SECOND,
        limit=10,
    )
    assert versions(page) == [3, 2]


def test_a_full_page_that_is_the_last_has_no_next(session, owner):
    fund(session, owner, times=4)
    first = statement(session, **of(owner), limit=2)
    last = statement(session, **of(owner), start=first.next, limit=2)

    assert versions(first) + versions(last) == [4, 3, 2, 1]
    assert (first.prev, last.next) == (None, None)


def test_pages_stay_while_new_entries_arrive(session, owner):
    fund(session, owner, times=5)
    first = statement(session, **of(owner), limit=2)
    fund(session, owner, times=3)
    second = statement(session, **of(owner), start=first.next, limit=2)
    fund(session, owner, times=1)
    third = statement(session, **of(owner), start=second.next, limit=2)

    assert versions(first) + versions(second) + versions(third) == [5, 4, 3, 2, 1]


def test_going_back_shows_what_arrived_meanwhile(session, owner):
    fund(session, owner, times=4)
    first = statement(session, **of(owner), limit=2)
    second = statement(session, **of(owner), start=first.next, limit=2)
    fund(session, owner, times=3)
    back = statement(session, **of(owner), start=second.prev, limit=2)
    further = statement(session, **of(owner), start=back.prev, limit=2)
    end = statement(session, **of(owner), start=further.prev, limit=2)

    assert versions(back) == [4, 3]
    assert versions(further) == [6, 5]
    assert versions(end) == [7]
    assert end.prev is None


@given(count=st.integers(0, 9), limit=st.integers(1, 4), operation=st.booleans())
def test_walking_there_and_back_shows_every_entry_once(
    session, count, limit, operation
):
    owner = make_owner()
    for _ in range(count):
        fund(session, owner)
        post_one(session, make_operation(owner=owner, operation="CREDIT_SPEND"))
    filters = {"operation": "CREDIT_ADD"} if operation else {}
    wanted = list(range(2 * count, 0, -1))
    wanted = [v for v in wanted if v % 2] if operation else wanted

    def walk(start, direction):
        page = statement(session, **of(owner), **filters, start=start, limit=limit)
        onward = getattr(page, direction)
        seen = versions(page)
        assert len(seen) <= limit
        if not onward:
            return seen
        return (
            seen + walk(onward, direction)
            if direction == "next"
            else (walk(onward, direction) + seen)
        )

    assert walk(None, "next") == wanted
    assert walk(Position(0, back=True), "prev") == wanted


def rows_read(plan):
    return max([plan["Actual Rows"], *map(rows_read, plan.get("Plans", []))])


def test_a_page_of_a_long_statement_reads_a_page(owner_engine, owner):
    seen = []

    def note(_connection, _cursor, text, parameters, *_others):
        seen.append((text, parameters))

    with databases.rolled_back(owner_engine) as session:
        fund(session, owner, times=3_000)
        session.execute(sa.text("ANALYZE transfers"))
        connection = session.connection()
        sa.event.listen(connection, "before_cursor_execute", note)
        statement(session, **of(owner), start=Position(2_000), limit=10)
        sa.event.remove(connection, "before_cursor_execute", note)
        ((text, parameters),) = seen
        explained = connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", parameters
        ).scalar_one()

    assert rows_read(explained[0]["Plan"]) < 20


# One transfer


def test_a_transfer_is_found_by_its_id(session, owner):
    posted = post_one(session, make_operation(owner=owner))

    found = find_transfer(session, posted.transfer.id, application="commons")
    assert found == posted.transfer


@pytest.mark.parametrize("application", ["commons", "content"])
def test_a_transfer_of_another_application_is_no_transfer(session, owner, application):
    origin = make_origin(application="content")
    posted = post_one(session, make_operation(origin, owner=owner))
    wanted = posted.transfer.id if application == "commons" else uuid7()

    with pytest.raises(NoSuchTransfer):
        find_transfer(session, wanted, application=application)


# The trial balance


def test_the_books_balance_and_count_what_was_written(session, owner):
    before = trial_balance(session, application="content")
    origin, friend = make_origin(application="content"), make_owner("friend")
    postings = [
        make_operation(origin, owner=owner),
        make_operation(origin, owner=owner, operation="CONTENT_CREATION"),
        make_operation(origin, owner=owner, operation="CONTENT_ACCESS"),
        make_transfer(origin, source=owner, target=friend, amount=2),
    ]
    post(session, [Batch(postings)], now=NOW)
    after = trial_balance(session, application="content")

    assert (before.sum, after.sum) == (0, 0)
    assert after.transfers - before.transfers == 4
    assert after.accounts - before.accounts == 4  # two owners, two of this lane


def test_an_account_opened_by_a_refused_write_does_not_count(session, owner):
    before = trial_balance(session, application="commons")
    post_one(session, make_operation(owner=owner, operation="CREDIT_SPEND"))

    assert trial_balance(session, application="commons") == before


def test_the_number_of_transfers_is_the_number_of_rows(session, owner):
    fund(session, owner, times=3)
    rows = session.scalar(
        sa.text("""
            SELECT count(*) FROM transfers t JOIN operations o ON t.operation_id = o.id
            WHERE application = 'commons'
        """)
    )

    assert trial_balance(session, application="commons").transfers == rows


def test_an_application_without_writes_has_an_empty_trial_balance(session):
    found = trial_balance(session, application="nothing")

    assert (found.sum, found.accounts, found.transfers) == (0, 0, 0)
