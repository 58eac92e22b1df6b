"""Elections and recalls are nobody's own, and elect no more than can be counted."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from domain.councils import elections, recalls
from domain.governance import packages, proposals, tallying, types
from domain.governance.cases import find
from domain.governance.explaining import explain
from domain.governance.lifecycle import State
from domain.governance.parameters import BadParameters, Deed
from domain.governance.proposals import NotYours
from domain.governance.record import BadProposal
from domain.governance.texts import Text
from domain.ids import uuid7
from tests.domain.governance.test_tallying import end
from tests.elections import make_council, make_member
from tests.factories import NOW, make_user
from tests.proposals import make_draft, make_open
from tests.voting import Vote


@pytest.fixture
def council(session):
    council = make_council(session)
    make_member(session, council)
    return council


def called_election(session, council, caller):
    return elections.call(
        session, council.id, caller=caller, everybody=True, by_rule=True, now=NOW
    )


def called_recall(session, council, caller):
    said = {"member_id": None, "reason": "Nobody comes.", "now": NOW}
    recall = recalls.call(session, council.id, caller=caller, **said)
    by = make_user(session).id
    recall = recalls.second(session, council.id, recall.id, by=by, now=NOW)
    return find(session, recall.proposal_id)


@pytest.mark.parametrize("called", [called_election, called_recall])
def test_who_called_it_writes_no_word_of_it(session, council, called):
    caller = make_user(session).id
    case = called(session, council, caller)
    text = Text.of(case.text)

    with pytest.raises(NotYours):
        proposals.edit(session, case.row.id, text, editor=caller, now=NOW)
    with pytest.raises(NotYours):
        proposals.require_author(case, caller)


def test_who_called_an_election_takes_over_no_amendment_of_it(session, council):
    caller = make_user(session).id
    case = called_election(session, council, caller)
    amendment = make_open(session, amends=case.row.id)
    said = {"amendment_id": amendment.row.id, "version": 1, "now": NOW}

    with pytest.raises(NotYours):
        proposals.adopt(session, case.row.id, editor=caller, **said)


def test_a_draft_whose_type_came_to_elect_is_not_opened_by_hand(session):
    majority = types.current(session, "simple_majority").parameters
    types.change(session, "seating", majority, changed_by=uuid7(), now=NOW)
    draft = make_draft(session, type_name="seating")
    rules = types.current(session, "council_election").parameters
    types.change(session, "seating", rules, changed_by=uuid7(), now=NOW)

    with pytest.raises(BadProposal, match="call one"):
        proposals.open_(session, draft.row.id, actor=draft.row.author, now=NOW)


@pytest.mark.parametrize(
    "details",
    [
        *({}, {"seats": 3}, {"seats": "three", "all": True}),
        *({"seats": 0, "all": True}, {"seats": True, "all": True}),
        *({"seats": 3, "all": "yes"}, {"seats": 3, "all": True, "more": 1}),
    ],
    ids=str,
)
def test_an_election_says_how_many_seats_and_whether_it_is_all(session, details):
    author = make_user(session).id

    with pytest.raises(BadProposal):
        proposals.create(
            session,
            author=author,
            type_name="council_election",
            text=replace(make_text_of_election(), details=details),
            by_rule=True,
            now=NOW,
        )


def make_text_of_election():
    return Text(title="An election", description="To some seats.", details={})


def elect_by(session, method):
    """Change the rules of elections, and nothing of councils."""
    rules = types.current(session, "council_election").parameters
    rules = replace(rules, method=method)
    types.change(session, "council_election", rules, changed_by=uuid7(), now=NOW)


def test_no_election_is_called_that_could_not_be_counted(session, council):
    elect_by(session, "irv")

    with pytest.raises(BadParameters, match="elects one"):
        called_election(session, council, make_user(session).id)
    assert elections.running(session, council.id, now=NOW) == []


def test_where_rules_elect_fewer_no_rule_calls_an_election(session, council):
    caller = make_user(session).id
    elect_by(session, "irv")
    assert elections.follow(session, council.id, caller=caller, now=NOW) is None
    elect_by(session, "meek-stv")

    assert elections.follow(session, council.id, caller=caller, now=NOW)


# What cannot be counted all the same


@pytest.fixture
def uncountable(session):
    """A vote frozen with more seats than its method fills."""
    vote = Vote(session, method="irv", options=("ada", "ben"), deed=Deed.SEATS)
    return vote.open().freeze(seats=3)


def test_what_cannot_be_counted_has_failed_and_says_so(session, uncountable):
    uncountable.count()
    case = uncountable.case()
    found = explain(session, case, now=uncountable.after)
    package = json.loads(json.dumps(packages.build(session, case)))

    assert case.state(uncountable.after) is State.FAILED
    assert uncountable.result()["failed_for"] == "not countable"
    assert found["sentences"][-1] == (
        "Failed: by the rules it was opened under it cannot be counted."
    )
    assert all(check.holds for check in packages.verify(package))


@contextmanager
def statements(session):
    """Yield a list of what a session asks the database meanwhile."""
    asked, engine = [], session.get_bind()

    def note(_connection, _cursor, statement, *_):
        asked.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    yield asked
    sa.event.remove(engine, "before_cursor_execute", note)


def test_a_count_that_failed_often_is_begun_again_at_the_same_price(
    session, uncountable
):
    """Whatever stops a tally for a day: each try asks no more than the one before."""
    asked, begun = [], set()
    for _ in range(5):
        with statements(session) as counted:
            begun.add(job := uncountable.start())
        asked.append(len(counted))
        end(session, job, "failed")

    assert len(begun) == 5
    assert len(set(asked[1:])) == 1


def test_a_count_in_hand_is_found_wherever_it_is(session, uncountable):
    job = uncountable.start()

    assert tallying.in_hand(session)[uncountable.id] == job
    assert uncountable.start() == job
    end(session, job, "cancelled")
    assert uncountable.id not in tallying.in_hand(session)
