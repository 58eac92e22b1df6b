"""Lists of proposals: what a filter says is there, each once, in either direction."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.governance import announcing, listing, proposals
from domain.governance.cases import cases, happen
from domain.governance.lifecycle import Event, State
from domain.ids import uuid7
from tests import databases
from tests.councils import make_council
from tests.factories import NOW, make_user
from tests.proposals import make_decided, make_draft, make_open, make_spend

HOUR = timedelta(hours=1)


def page(session, *, now=NOW, limit=50, **filters):
    return listing.page(session, limit=limit, now=now, **filters)


def ids(found):
    return [case.row.id for case in found.items]


def walk(session, *, limit, **filters):
    """Go to the end and back again; return what is seen on either way."""
    there, found = [], page(session, limit=limit, **filters)
    there += ids(found)
    while found.next:
        found = page(session, limit=limit, start=found.next, **filters)
        there += ids(found)
    back = ids(found)
    while found.prev:
        found = page(session, limit=limit, start=found.prev, **filters)
        back = ids(found) + back
    return there, back


def test_a_filter_finds_what_has_it_and_nothing_else(session):
    author = make_user(session).id
    council = make_council(session, author)
    whole = make_open(session, author=author, tags=("trees", "canal"))
    other = make_draft(session, amends=whole.row.id, tags=("benches",))
    decided = make_draft(
        session, author=author, type_name="council_decision", council_id=council
    )
    mine = [decided.row.id, whole.row.id]

    assert ids(page(session, author=author)) == mine
    assert ids(page(session, council_id=council)) == mine[:1]
    assert ids(page(session, amends=whole.row.id)) == [other.row.id]
    assert ids(page(session, tag="trees", author=author)) == mine[1:]
    assert ids(page(session, author=author, type_name="council_decision")) == mine[:1]
    assert ids(page(session, author=uuid7())) == []


def test_a_tag_that_was_taken_away_finds_nothing(session):
    case = make_draft(session, tags=("zeppelins",))
    text = proposals.Text.of(case.text)
    assert ids(page(session, tag="zeppelins")) == [case.row.id]
    proposals.edit(
        session,
        case.row.id,
        proposals.replace(text, tags=()),
        editor=case.row.author,
        now=NOW,
    )

    assert ids(page(session, tag="zeppelins")) == []


def make_one_of_each(session, author):
    """Return a proposal in every state, as it is at NOW."""
    week = timedelta(days=11)
    given = {"author": author}
    spend = {"to": author, **given}
    simple = {"type_name": "simple_majority", **given}
    found = {
        State.DRAFT: make_draft(session, **given),
        State.DISCUSSION: make_open(session, **given),
        State.FROZEN: make_open(session, now=NOW - 73 * HOUR, **given),
        State.VOTING: make_open(session, now=NOW - 97 * HOUR, **given),
        State.CLOSED: make_open(session, now=NOW - week - HOUR, **given),
        State.PASSED: make_decided(session, **simple),
        State.FAILED: make_decided(session, passed=False, **simple),
        State.QUEUED: make_spend(session, **spend),
        State.CANCELLED: make_open(session, **given),
        State.VETOED: make_spend(session, **spend),
        State.EXECUTED: make_decided(session, **simple),
        State.EXPIRED: make_spend(session, closed_at=NOW - 3 * week, **spend),
    }
    for state, event in (
        (State.CANCELLED, Event.CANCELLED),
        (State.VETOED, Event.VETOED),
        (State.EXECUTED, Event.CONCLUDED),
    ):
        happen(session, found[state].row.id, event, now=NOW)
    return found


@pytest.mark.parametrize("announced", [False, True])
def test_a_list_by_state_has_what_is_in_it_told_or_not(session, announced):
    author = make_user(session).id
    found = make_one_of_each(session, author)
    assert found.keys() == set(State)
    if announced:
        for case in cases(session, [c.row.id for c in found.values()]).values():
            announcing.announce(session, case.row.id, now=NOW)

    for state, case in found.items():
        assert ids(page(session, author=author, state=state)) == [case.row.id]


def test_what_was_passed_and_then_concluded_is_found_before_that_is_told(session):
    author = make_user(session).id
    case = make_decided(session, type_name="simple_majority", author=author)
    announcing.announce(session, case.row.id, now=NOW)
    happen(session, case.row.id, Event.CONCLUDED, now=NOW)

    assert ids(page(session, author=author, state=State.EXECUTED)) == [case.row.id]
    assert ids(page(session, author=author, state=State.PASSED)) == []


@settings(max_examples=25)
@given(
    opened=st.lists(st.booleans(), max_size=9),
    limit=st.integers(1, 5),
    by_state=st.booleans(),
)
def test_pages_have_each_once_on_the_way_there_and_back(
    engine, opened, limit, by_state
):
    with databases.rolled_back(engine) as session:
        author = make_user(session).id
        make = {True: make_open, False: make_draft}
        made = [make[one](session, author=author).row.id for one in opened]
        wanted = {"state": State.DISCUSSION} if by_state else {}
        expected = [
            one
            for one, is_open in zip(made, opened, strict=True)
            if is_open or not by_state
        ][::-1]

        there, back = walk(session, limit=limit, author=author, **wanted)
    assert there == back == expected


def test_a_long_search_goes_on_where_it_stopped(session, monkeypatch):
    """One page looks at so many rows; an empty page may have a next one."""
    monkeypatch.setattr(listing, "_LOOKED_AT_MAX", 4)
    monkeypatch.setattr(listing, "_CHUNK", 2)
    author = make_user(session).id
    first = make_open(session, author=author).row.id
    for _ in range(9):
        make_open(session, author=author, now=NOW - 73 * HOUR)
    last = make_open(session, author=author).row.id
    wanted = {"author": author, "state": State.DISCUSSION}

    found = page(session, **wanted)
    assert ids(found) == [last]
    assert found.next is not None
    there, _ = walk(session, limit=50, **wanted)
    assert there == [last, first]


def test_every_state_is_counted_those_with_nothing_too(session):
    before = listing.counts(session)
    make_draft(session)
    after = listing.counts(session)

    assert before.keys() == after.keys() == {str(state) for state in State}
    assert after["draft"] - before["draft"] == 1
