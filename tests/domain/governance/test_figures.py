"""Figures of votes, seats and bounties: they move with what happens."""

from datetime import timedelta

import pytest

from domain.councils import keeping
from domain.governance import figures
from tests.bounties import claim, make_bounty
from tests.elections import make_council, make_member
from tests.factories import NOW
from tests.voting import make_vote

DAY = timedelta(days=1)


@pytest.fixture
def moved(session):
    """Return what says how figures moved: others have left rows of their own."""

    def make(look):
        before = look()

        def since():
            after = look()
            found = {name: after[name] - before[name] for name in after}
            return {name: change for name, change in found.items() if change}

        return since

    return make


def test_a_tally_runs_and_is_finished(session, moved):
    since = moved(lambda: figures.tallies(session))
    vote = make_vote(session, "yes", "no", "no")
    vote.step(0, count=2)
    assert since() == {"running": 1}
    vote.count()

    assert since() == {"finished": 1}


def test_seats_are_held_for_their_term(session, moved):
    since = moved(lambda: figures.seats(session, now=NOW))
    council = make_council(session, seats=3)
    assert since() == {"vacant": 3}
    member = make_member(session, council)
    assert since() == {"held": 1, "vacant": 2}
    keeping.end(session, member, "resigned", actor=None, now=NOW)

    assert since() == {"vacant": 3}


def test_bounties_are_where_their_list_shows_them(session, moved):
    since = moved(lambda: figures.bounties(session, now=NOW))
    bounty = make_bounty(session, now=NOW, participants_max=1)
    assert since() == {"open": 1}
    claim(session, bounty, now=NOW)
    assert since() == {"full": 1}


def test_a_bounty_that_nobody_claimed_expires(session):
    make_bounty(session, now=NOW, expires_at=(NOW + DAY).isoformat())
    now, later = (figures.bounties(session, now=NOW + n * DAY) for n in (0, 1))

    assert later["expired"] - now["expired"] >= 1
