"""Votes for the API's tests: held in the past, so that they are over by now."""

from datetime import UTC, datetime, timedelta

from tests.voting import make_vote

OPTIONS = ("ada", "ben", "cat")
RANKINGS = [["ada", "ben"], ["ben", "cat"], ["ada"], ["cat", "ben"], [], ["ben"]]
RANKED = {"method": "scottish-stv", "options": OPTIONS, "seats": 2}
_AGO = timedelta(days=40)


def hold(sessions, *ballots, count=True, ago=_AGO, **said):
    """Hold a vote and count it; return its id."""
    with sessions.begin() as session:
        vote = make_vote(session, *ballots, opened=datetime.now(UTC) - ago, **said)
        if count:
            vote.count()
        return str(vote.id)


def hold_ranked(sessions, **said):
    """Hold an election of which there is everything to show."""
    return hold(sessions, *RANKINGS, **{**RANKED, **said})
