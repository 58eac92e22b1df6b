"""A ballot that is written down after the close moves it, or is not taken at all."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from domain.governance import cases, tallying
from domain.governance.casting import cast
from domain.governance.lifecycle import State
from tests import voting as tables
from tests.domain.governance.votes import (
    CLOSES,
    VOTING,
    ballot,
    make_people,
    make_vote,
    vote,
)
from tests.factories import make_claim, make_lane
from tests.waiting import eventually, somebody_waits

SECOND = timedelta(seconds=1)
COUNTED = CLOSES + tables.SETTLED


def count(session, proposal_id, *, now=COUNTED, part=0, **fields):
    payload = {"proposal_id": str(proposal_id), "part": part, "lane": make_lane()}
    claim = make_claim(tallying.TALLY, payload)
    return tallying.run(session, claim, now=now, **fields)


def test_a_count_waits_for_the_ballot_that_moves_the_close(sessions):
    """The last ballot that waited is taken while the first job of the tally begins."""
    with sessions.begin() as session:
        rules = {"quorum": "3/4", "extension_hours": 24}
        made = tables.make_vote(session, people=4, **rules)
        vote(session, *(ballot(made.id, one) for one in made.voters[:2]))
        closes, counted = made.closes, made.after

    def begin():
        with sessions.begin() as session:
            return count(session, made.id, now=counted)

    with ThreadPoolExecutor(1) as pool:
        with sessions.begin() as session:
            late = ballot(made.id, made.voters[2], at=closes - SECOND)
            vote(session, late, now=counted)
            begun = pool.submit(begin)
            eventually(lambda: begun.done() or somebody_waits(sessions))
        told = begun.result(30)
    with sessions() as session:
        assert told == {"counted": 0, "of": 3}
        assert cases.find(session, made.id).state(counted) is State.VOTING
        assert tallying.read_so_far(session, made.id).parts == 0


def test_what_changes_in_the_extension_is_what_is_counted(session):
    people = make_people(session, 4)
    rules = {"quorum": "3/4", "extension_hours": 24}
    proposal_id = make_vote(session, people, **rules)
    vote(session, *(ballot(proposal_id, one, "yes") for one in people[:2]))
    late = ballot(proposal_id, people[2], "yes", at=CLOSES - SECOND)
    vote(session, late, now=COUNTED)
    again = [ballot(proposal_id, one, "no", at=CLOSES + SECOND) for one in people]
    vote(session, *again)

    end = cases.find(session, proposal_id).timeline.closes + tables.SETTLED
    for part in (0, 1):
        count(session, proposal_id, part=part, now=end)
    assert tallying.binding(session, proposal_id).groups == [["no", 4, 4]]


@pytest.mark.parametrize("secret", [False, True])
def test_once_ballots_are_read_none_is_taken_any_more(session, secret):
    """As one that failed in its time, and that an operator has tried again."""
    people = make_people(session, 3)
    said = {"secret": secret, "replaceable": not secret}
    proposal_id = make_vote(session, people, **said)
    first = [ballot(proposal_id, one, secret=secret) for one in people[:2]]
    vote(session, *first)
    count(session, proposal_id, count=1)
    late = ballot(proposal_id, people[2], at=VOTING + SECOND, secret=secret)
    (outcome,) = cast(session, [late], lane=make_lane(), now=COUNTED)

    assert outcome.refusal.code == "voting_closed"
    assert "being counted" in outcome.refusal.detail
    count(session, proposal_id, part=1)
    count(session, proposal_id, part=2)
    assert tallying.binding(session, proposal_id).groups == [["yes", 2, 2]]
