"""Counts for advice: the same ballots otherwise, which decide nothing."""

import json

import pytest
import sqlalchemy as sa

from domain import audit_events
from domain.audit_events import Action
from domain.governance import counts
from domain.governance.counting import NotCountable
from domain.governance.counts import NotCountedYet, ResultWithheld
from domain.governance.lifecycle import State
from domain.governance.voting_record import Tally
from domain.tally import Election, Eligible, canonical, count, gather
from tests.factories import NOW, make_claim
from tests.voting import SEED, make_vote

OPTIONS = ("ada", "ben", "cat")
RANKINGS = [
    *[["ada", "ben", "cat"]] * 4,
    *[["ben", "cat"]] * 3,
    *[["cat", "ben"]] * 2,
    [],
]
RANKED = {"method": "irv", "options": OPTIONS}


def ask(vote, method, seats=None):
    payload = {"proposal_id": str(vote.id), "method": method, "seats": seats}
    given = {name: one for name, one in payload.items() if one is not None}
    return counts.run(vote.session, make_claim(counts.COUNT, given), now=vote.after)[
        "count"
    ]


@pytest.fixture
def vote(session):
    made = make_vote(session, *RANKINGS, **RANKED)
    made.count()
    return made


@pytest.mark.parametrize(
    ("method", "seats"),
    [("scottish-stv", 2), ("meek-stv", 2), ("irv", 1), ("meek-stv", 1)],
)
def test_the_same_ballots_are_counted_by_another_method(vote, method, seats):
    said = ask(vote, method, seats)
    freeze = vote.case().freeze
    eligible = Eligible(freeze.people, freeze.weight)
    alone = Election(method=method, options=OPTIONS, seats=seats, eligible=eligible)
    cast = gather(alone, [(one, 1) for one in RANKINGS])

    assert canonical(said["result"]) == canonical(count(alone, cast, SEED))
    assert said["advisory"] is True


def test_preferences_are_read_as_choices_where_a_method_takes_those(vote):
    first, named = ask(vote, "single-choice"), ask(vote, "approval", 2)

    votes = [one["result"]["stages"][0]["votes"] for one in (first, named)]
    assert votes == [
        {"ada": 4, "ben": 3, "cat": 2},
        {"ada": 4, "ben": 9, "cat": 9},
    ]
    assert first["result"]["ballots"]["people"] == len(RANKINGS)


def test_who_asked_for_a_count_is_recorded(session, vote):
    said = ask(vote, "meek-stv")
    about = {"subject": f"proposal:{vote.id}", "action": Action.COUNT_MADE}
    ((event,),) = audit_events.page(session, limit=5, **about).items

    assert event.details == {"method": "meek-stv", "count": said["id"]}
    assert event.actor is not None


def test_it_says_of_which_ballots_it_is_and_changes_nothing(session, vote):
    before = vote.case().describe(vote.after)
    said = ask(vote, "meek-stv")
    assert said["definition_sha256"] == before["freeze"]["sha256"]
    bound = session.scalar(
        sa.select(Tally).where(Tally.proposal_id == vote.id, ~Tally.advisory)
    )

    assert said["ballots_sha256"] == bound.ballots_sha256
    assert vote.case().describe(vote.after) == before
    assert vote.case().state(vote.after) is State.PASSED


def test_the_same_question_has_one_answer(session, vote):
    answers = [ask(vote, "meek-stv", seats) for seats in (None, 1, 2, None)]

    assert answers[0] == answers[1] == answers[3] != answers[2]
    found = counts.page(session, vote.id, start=None, limit=50).items
    assert len(found) == 2


@pytest.mark.parametrize(
    ("method", "seats"),
    [("score", None), ("quadratic", None), ("yes-no", None), ("irv", 2), ("borda", 1)],
)
def test_what_these_ballots_are_not_for_is_refused(vote, method, seats):
    with pytest.raises(NotCountable):
        ask(vote, method, seats)


@pytest.mark.parametrize("method", ["irv", "single-choice", "yes-no"])
def test_yes_or_no_is_counted_in_no_other_way(session, method):
    vote = make_vote(session, "yes")
    vote.count()

    with pytest.raises(NotCountable):
        ask(vote, method)


def test_other_ballots_are_counted_again_for_other_seats(session):
    said = {"method": "score", "options": OPTIONS}
    vote = make_vote(session, {"ada": 3}, {"ben": 2}, **said)
    vote.count()

    assert ask(vote, "score", 2)["result"]["elected"] == ["ada", "ben"]


def test_there_is_none_before_the_binding_one(session):
    vote = make_vote(session, *RANKINGS, **RANKED)

    with pytest.raises(NotCountedYet):
        ask(vote, "meek-stv")


@pytest.mark.parametrize(("people", "shown"), [(4, False), (5, True)])
def test_of_very_few_secret_ballots_there_is_none(session, people, shown):
    said = {**RANKED, "secret": True, "replaceable": False}
    vote = make_vote(session, *RANKINGS[:people], **said)
    vote.count()

    if shown:
        assert ask(vote, "meek-stv")["result"]["ballots"]["people"] == people
    else:
        with pytest.raises(ResultWithheld):
            ask(vote, "meek-stv")


def test_what_is_shown_is_what_is_stored(session, vote):
    said = ask(vote, "scottish-stv")
    stored = session.get(Tally, said["id"])

    assert json.loads(stored.result) == said["result"]
    assert stored.at == vote.after > NOW
