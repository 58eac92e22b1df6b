"""Results: what is shown of a vote before, while and after it is counted."""

import json
from datetime import timedelta

import pytest

from domain.governance import results
from domain.governance.lifecycle import Event
from tests.voting import Vote, make_vote

OPTIONS = ("ada", "ben")
SECOND = timedelta(seconds=1)
SECRET = {"secret": True, "replaceable": False}


def show(vote, now):
    return results.show(vote.session, vote.case(), now=now)


def test_a_draft_has_no_electorate_and_no_result(session):
    vote = Vote(session)
    said = show(vote, vote.opened)

    assert (said["phase"], said["electorate"], said["turnout"]) == ("before", None, 0)
    assert said["outcome"] is said["result"] is said["closes_at"] is None


def test_an_open_vote_shows_who_took_part_and_how_it_stands(session):
    vote = make_vote(session, "yes", "for", "no", quorum="1/2")
    said = show(vote, vote.closes - SECOND)

    assert said["phase"] == "open"
    assert said["turnout"] == 3
    assert said["electorate"]["people"] == 10
    assert said["quorum"] == {
        "share": "1/2",
        "eligible": 10,
        "wanted": "5",
        "people": 3,
        "met": False,
    }
    assert said["so_far"] == {
        "people": 3,
        "blank": 0,
        "votes": {"yes": 2, "no": 1, "abstain": 0},
    }
    assert said["outcome"] is None


@pytest.mark.parametrize(
    ("method", "options", "ballots", "votes"),
    [
        ("consent", (), ["consent", {"objection": "No."}], [1, 0, 1]),
        ("single-choice", OPTIONS, ["ada", None], [1, 0]),
    ],
)
def test_how_it_stands_is_shown_where_a_sum_says_it(
    session, method, options, ballots, votes
):
    vote = make_vote(session, *ballots, method=method, options=options)
    said = show(vote, vote.opened)

    assert list(said["so_far"]["votes"].values()) == votes


def test_votes_so_far_have_those_who_delegated(session):
    vote = make_vote(session, "yes", delegation=True, delegates={1: 0}, quorum="1/5")
    said = show(vote, vote.opened)

    assert said["so_far"]["votes"]["yes"] == 2
    assert said["quorum"]["met"]


def test_who_is_represented_takes_part_whatever_the_method(session):
    said = {"method": "irv", "options": OPTIONS, "quorum": "3/10"}
    vote = make_vote(session, ["ada"], delegation=True, delegates={1: 0, 2: 0}, **said)

    assert show(vote, vote.opened)["quorum"]["people"] == 3


def test_a_count_that_takes_long_is_not_made_for_a_look(session, monkeypatch):
    ranked = make_vote(session, ["ada"], method="irv", options=OPTIONS)
    crowded = make_vote(session, "yes", "yes")
    monkeypatch.setattr(results, "LIVE_PEOPLE_MAX", 1)

    assert show(ranked, ranked.opened)["so_far"] is None
    assert show(crowded, crowded.opened)["so_far"] is None


def test_of_many_electors_who_may_delegate_neither(session, monkeypatch):
    """However few have voted."""
    rules = {"delegation": True, "delegates": {1: 0}, "quorum": "1/10"}
    vote = make_vote(session, "yes", **rules)
    assert show(vote, vote.opened)["quorum"]["people"] == 2
    monkeypatch.setattr(results, "LIVE_ELECTORS_MAX", 9)
    said = show(vote, vote.opened)

    assert said["so_far"] is None
    assert said["quorum"]["people"] == 1


@pytest.mark.parametrize("people", [1, 9])
def test_of_an_open_secret_vote_only_the_turnout_is_shown(session, people):
    vote = make_vote(session, *["yes"] * people, **SECRET)
    said = show(vote, vote.opened)

    assert said["turnout"] == people
    assert said["so_far"] is said["result"] is None
    assert '"yes"' not in json.dumps(said)


def test_while_it_is_counted_it_says_how_far(session):
    vote = make_vote(session, "yes", "no", "no")
    vote.step(0, count=2)
    said = show(vote, vote.after)

    assert (said["phase"], said["progress"]) == ("counting", {"counted": 2, "of": 3})
    assert said["so_far"] is said["outcome"] is None


def test_once_counted_it_never_changes(session):
    vote = make_vote(session, "yes", timelock_hours=48)
    tally = vote.count()
    first = show(vote, vote.after)
    vote.happen(Event.CONCLUDED, vote.after)
    later = show(vote, vote.after + timedelta(days=500))

    assert first == later
    assert first["result"] == json.loads(tally.result)
    assert first["tally_id"] == str(tally.id)
    assert first["links"]["package"].endswith(f"{vote.id}/package")


def test_of_very_few_secret_ballots_only_the_outcome_is_shown(session):
    few = make_vote(session, *["yes"] * 4, **SECRET)
    enough = make_vote(session, *["yes"] * 5, **SECRET)
    few.count(), enough.count()
    said, more = show(few, few.after), show(enough, enough.after)

    assert said["outcome"] == "passed"
    assert "Fewer than 5" in said["withheld"]
    assert said["result"] is said["ballots_sha256"] is said["quorum"] is None
    assert '"yes"' not in json.dumps(said)
    assert (more["withheld"], more["result"]["outcome"]) == (None, "passed")


def test_a_cancelled_vote_says_so(session):
    vote = make_vote(session, "yes")
    vote.happen(Event.CANCELLED, vote.opened)

    assert show(vote, vote.after)["phase"] == "cancelled"
