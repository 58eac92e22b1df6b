"""What is carried out is what was voted on, whatever anybody's clock says."""

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa

from domain.governance import executing, proposals
from domain.governance.cases import find
from domain.governance.freezing import freeze
from domain.governance.record import ProposalText, WrongState
from domain.governance.texts import Text
from tests.domain.governance.test_executing import entries, fill
from tests.domain.governance.test_late_ballots import SECOND, count
from tests.domain.governance.votes import (
    CLOSES,
    NOW,
    VOTING,
    ballot,
    make_people,
    make_vote,
    vote,
)
from tests.voting import SETTLED

COUNTED = CLOSES + SETTLED


@pytest.fixture
def pair(session):
    """Return the one to whom it was decided to give a credit, and another."""
    return make_people(session, 2)


@pytest.fixture
def voters(session):
    return make_people(session, 3)


@pytest.fixture
def spend(session, pair, voters):
    """A spend of one credit, for three to vote on."""
    details = {"to": str(pair[0]), "amount": 1}
    return make_vote(session, voters, deed="spend", details=details)


def edited(session, proposal_id, pair):
    """Return the text with a hundred credits to the other in it."""
    text = Text.of(find(session, proposal_id).text)
    return replace(text, details={"to": str(pair[1]), "amount": 100})


def edit(session, proposal_id, text, *, now):
    author = find(session, proposal_id).row.author
    return proposals.edit(session, proposal_id, text, editor=author, now=now)


def write_another(session, text, details):
    """Store one more version, as no edit does."""
    columns = ProposalText.__table__.columns.keys()
    row = {name: getattr(text, name) for name in columns}
    another = {**row, "version": text.version + 1, "details": details}
    session.execute(sa.insert(ProposalText), another)


def test_who_edits_by_a_clock_that_is_behind_is_too_late(session, spend, pair):
    freeze(session, find(session, spend), now=VOTING)

    with pytest.raises(WrongState, match="as it was then"):
        edit(session, spend, edited(session, spend, pair), now=NOW)
    assert find(session, spend).text.version == 1


def test_what_was_edited_while_the_freeze_waited_is_frozen(session, spend, pair):
    read_before = find(session, spend)
    edit(session, spend, edited(session, spend, pair), now=NOW)
    made = freeze(session, read_before, now=VOTING)

    assert json.loads(made.definition)["text"]["details"]["amount"] == 100


def test_what_was_cancelled_while_the_freeze_waited_is_not_frozen(session, spend):
    read_before = find(session, spend)
    author = read_before.row.author
    proposals.cancel(session, spend, actor=author, reason="no", now=NOW)

    with pytest.raises(WrongState):
        freeze(session, read_before, now=VOTING)


def test_a_spend_goes_to_whom_it_was_frozen_for(session, spend, pair, voters):
    fill(session, {0: 200})
    case = find(session, spend)
    freeze(session, case, now=VOTING)
    write_another(session, case.text, edited(session, spend, pair).details)
    vote(session, *(ballot(spend, one, at=VOTING + SECOND) for one in voters))
    for part in (0, 1):
        count(session, spend, part=part)
    done = executing.execute(session, spend, lane=0, now=COUNTED)

    assert (done["executed"], done["to"], done["amount"]) == (True, str(pair[0]), 1)
    assert [entries(session, one) for one in pair] == [[1], []]
