"""Explanations: for every state, and each way to fail, the rule and its numbers."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.governance import cases, executing, explaining
from domain.governance.explaining import time
from domain.governance.lifecycle import Event, State
from tests.voting import HOUR, Vote, make_vote

OPENED = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PASS = [{"option": "yes", "bound": "more_than", "share": "1/2", "of": "cast"}]
CLOSED = "Voting closed 2026-11-27T12:00Z."
SECRET = {"secret": True, "replaceable": False}


def explain(vote, now):
    return explaining.explain(vote.session, vote.case(), now=now)


def counted(session, *ballots, **said):
    vote = make_vote(session, *ballots, **said)
    vote.count()
    return vote


def test_a_draft(session):
    said = explain(Vote(session), OPENED)

    assert said["state"] == "draft"
    assert said["sentences"] == ["A draft since 2026-11-20T11:00Z, not opened yet."]


def test_a_discussion_and_the_freeze_after_it(session):
    vote = Vote(session, discussion_hours=72, freeze_hours=24).open()
    said = [explain(vote, OPENED + hours * HOUR) for hours in (0, 72)]

    assert [one["state"] for one in said] == ["discussion", "frozen"]
    assert [one["explanation"] for one in said] == [
        (
            "Opened 2026-11-20T12:00Z. Discussed for 72 hours, until "
            "2026-11-23T12:00Z; until then its text may change."
        ),
        (
            "Its text is fixed since 2026-11-23T12:00Z. After 24 hours, "
            "2026-11-24T12:00Z, voting opens."
        ),
    ]


def test_an_open_vote(session):
    said = {"quorum": "3/10", "requirements": PASS}
    vote = make_vote(session, "yes", "no", **said)
    told = explain(vote, OPENED)

    assert told["state"] == "voting"
    assert told["sentences"] == [
        "Voting opened 2026-11-20T12:00Z and closes 2026-11-27T12:00Z.",
        "2 of 10 people took part, quorum 3/10 = 3: not met.",
        "It passes with yes more_than 1/2 of cast.",
    ]


def test_an_open_vote_by_another_method_and_without_a_quorum(session):
    ranked = {"method": "scottish-stv", "options": ("ada", "ben"), "seats": 2}
    vote = make_vote(session, ["ada"], **ranked, **SECRET)
    consent = make_vote(session, "consent", method="consent")
    plain = make_vote(session)

    assert explain(vote, OPENED)["sentences"][1:] == [
        "1 of 10 people took part; there is no quorum.",
        "Votes are counted by scottish-stv for 2 seats.",
    ]
    assert explain(consent, OPENED)["sentences"][2] == (
        "It passes when somebody consents and nobody objects with a reason."
    )
    assert explain(plain, OPENED)["sentences"][2] == (
        "It passes with more yes than no."
    )


def test_a_quorum_reached_late_moves_the_close(session):
    vote = make_vote(session, "yes", quorum="1/10", extension_hours=24)
    late = OPENED + timedelta(days=6, hours=23)
    vote.happen(Event.QUORUM_REACHED, late)
    told = explain(vote, late)["sentences"]

    assert told[0].endswith("closes 2026-11-28T11:00Z.")
    assert told[1] == (
        "The quorum was reached late, 2026-11-27T11:00Z, so that voting lasts 24 hours "
        "from then."
    )


def test_a_quorum_reached_early_moves_nothing(session):
    vote = make_vote(session, "yes", quorum="1/10", extension_hours=24)
    vote.happen(Event.QUORUM_REACHED, OPENED + HOUR)

    assert "late" not in explain(vote, OPENED + HOUR)["explanation"]


def test_a_closed_vote_that_is_being_counted(session):
    vote = make_vote(session, "yes", "no", "no")
    vote.step(0, count=2)
    told = explain(vote, vote.after)

    assert told["state"] == "closed"
    assert told["sentences"] == [CLOSED, "2 of 3 ballots are counted so far."]


def test_a_vote_that_closed_early(session):
    vote = make_vote(session, "yes", early_close=True, replaceable=False)
    vote.happen(Event.SETTLED, OPENED + HOUR)

    assert explain(vote, OPENED + 2 * HOUR)["sentences"][0] == (
        "Voting closed 2026-11-20T13:00Z, early: the outcome could no longer change."
    )


def test_what_passed(session):
    cast = ["yes"] * 20 + ["no"] * 10 + ["abstain"]
    said = {"people": 100, "quorum": "1/10", "requirements": PASS}
    vote = counted(session, *cast, **said)
    told = explain(vote, vote.after)

    assert told["state"] == "passed"
    assert told["explanation"] == (
        f"{CLOSED} 31 of 100 people took part, quorum 1/10 = 10: met. "
        "yes 20 of 30 cast, more_than 1/2 = 15: met. Passed."
    )


@pytest.mark.parametrize(
    ("ballots", "said", "ending"),
    [
        (
            ["yes"],
            {"quorum": "1/3"},
            [
                "1 of 10 people took part, quorum 1/3 = 10/3: not met.",
                "yes 1 of 1 cast, more_than 1/2 = 1/2: met.",
                "Failed: too few people took part.",
            ],
        ),
        (
            [],
            {},
            [
                "0 of 10 people took part; there is no quorum.",
                "yes 0 of 0 cast, more_than 1/2 = 0: not met.",
                "Failed: nobody cast a vote with a choice.",
            ],
        ),
        (
            ["yes", "no"],
            {},
            [
                "2 of 10 people took part; there is no quorum.",
                "yes 1 of 2 cast, more_than 1/2 = 1: not met.",
                "A tie fails: as many yes as no.",
                "Failed: what is required was not reached.",
            ],
        ),
        (
            ["yes", "yes", "no"],
            {
                "requirements": [
                    *PASS,
                    {**PASS[0], "bound": "at_least", "share": "1/4", "of": "eligible"},
                ]
            },
            [
                "3 of 10 people took part; there is no quorum.",
                "yes 2 of 3 cast, more_than 1/2 = 3/2: met.",
                "yes 2 of 10 eligible, at_least 1/4 = 5/2: not met.",
                "Failed: what is required was not reached.",
            ],
        ),
        (
            ["consent", {"objection": "It floods."}],
            {"method": "consent"},
            [
                "2 of 10 people took part; there is no quorum.",
                "1 consent, 1 object, 0 abstain.",
                "Failed: what is required was not reached.",
            ],
        ),
        (
            [[], []],
            {"method": "irv", "options": ("ada", "ben")},
            [
                "2 of 10 people took part; there is no quorum.",
                "Counted by irv for 1 seat, elected in order: nobody.",
                "Failed: nobody cast a vote with a choice.",
            ],
        ),
    ],
)
def test_each_way_to_fail(session, ballots, said, ending):
    vote = counted(session, *ballots, **said)
    told = explain(vote, vote.after)

    assert told["state"] == "failed"
    assert told["sentences"] == [CLOSED, *ending]


def test_an_election_in_which_nobody_stood(session):
    vote = Vote(session, method="irv").open().freeze()
    vote.count()

    assert explain(vote, vote.after)["sentences"] == [
        CLOSED,
        "0 people took part; there is no quorum.",
        "Failed: nobody stood.",
    ]


def test_an_election_with_a_lot(session):
    said = {"method": "single-choice", "options": ("ada", "ben", "cat")}
    vote = counted(session, "ada", "ben", **said)
    (winner,) = vote.result()["elected"]

    assert explain(vote, vote.after)["sentences"][2:] == [
        f"Counted by single-choice for 1 seat, elected in order: {winner}.",
        f"A tie of ada and ben was broken by lot: {winner}.",
        "Passed.",
    ]


def test_what_waits_for_its_timelock_and_what_came_after_it(session):
    vote = counted(session, "yes", timelock_hours=48)
    waits = explain(vote, vote.after + 47 * HOUR)
    over = explain(vote, vote.after + 48 * HOUR)

    assert (waits["state"], over["state"]) == ("queued", "passed")
    assert waits["sentences"][-1] == (
        "A timelock of 48 hours: it takes effect from 2026-11-29T12:00:45Z."
    )
    assert over["sentences"][-1] == "Its timelock ended 2026-11-29T12:00:45Z."


SPENDING = {"deed": "spend", "timelock_hours": 48, "grace_hours": 24, "veto": True}


def test_what_is_due_and_cannot_be_carried_out_says_why(session):
    vote = counted(session, "yes", **SPENDING)
    locked = explain(vote, vote.closes + 47 * HOUR)
    due = explain(vote, vote.closes + 49 * HOUR)
    why = executing.obstacle(
        session, cases.find(session, vote.id), now=vote.closes + 49 * HOUR
    )

    said = f"It cannot be carried out yet: {why['detail']}"
    assert said not in locked["sentences"]
    assert due["sentences"][-1] == said


def test_what_is_carried_out_expired_or_vetoed(session):
    votes = [counted(session, "yes", **SPENDING) for _ in range(3)]
    done, late, vetoed = votes
    waits = explain(done, done.closes + HOUR)
    done.happen(Event.EXECUTED, done.closes + 49 * HOUR)
    vetoed.happen(Event.VETOED, vetoed.closes + HOUR, reason="Not ours to give.")
    told = [explain(one, one.closes + 80 * HOUR) for one in votes]

    assert waits["sentences"][-1] == (
        "Not carried out by 2026-11-30T12:00:45Z, it expires."
    )
    assert [one["state"] for one in told] == ["executed", "expired", "vetoed"]
    assert [one["sentences"][-1] for one in told] == [
        "Carried out 2026-11-29T13:00Z.",
        (
            "It could take effect from 2026-11-29T12:00:45Z and was not carried out in "
            "24 hours: expired 2026-11-30T12:00:45Z."
        ),
        "Vetoed 2026-11-27T13:00Z: “Not ours to give.”",
    ]
    assert late.case().state(late.closes + 80 * HOUR) is State.EXPIRED


def test_what_was_recorded(session):
    vote = counted(session, "yes")
    vote.happen(Event.CONCLUDED, vote.after, statement="Planted.")
    bare = counted(session, "yes")
    bare.happen(Event.CONCLUDED, bare.after)

    assert [explain(one, vote.after)["sentences"][-1] for one in (vote, bare)] == [
        "Its outcome was recorded 2026-11-27T12:00:45Z: “Planted.”",
        "Its outcome was recorded 2026-11-27T12:00:45Z.",
    ]


def test_what_was_cancelled(session):
    vote = make_vote(session, "yes")
    vote.happen(Event.CANCELLED, OPENED + HOUR, reason="No more.")
    bare = make_vote(session)
    bare.happen(Event.CANCELLED, OPENED + HOUR)

    assert [explain(one, OPENED + 2 * HOUR)["sentences"] for one in (vote, bare)] == [
        ["Cancelled 2026-11-20T13:00Z: “No more.”"],
        ["Cancelled 2026-11-20T13:00Z."],
    ]


def test_of_very_few_secret_ballots_it_says_no_numbers(session):
    vote = counted(session, "yes", "yes", "no", **SECRET)

    assert explain(vote, vote.after)["sentences"] == [
        CLOSED,
        "Fewer than 5 people voted in secret: any number would tell who cast what.",
        "Passed.",
    ]


def test_every_state_has_something_to_say():
    assert explaining._SAID.keys() == set(State)


def test_a_time_is_as_short_as_it_is_exact():
    exact = OPENED + timedelta(seconds=1, microseconds=5)

    assert [time(OPENED), time(OPENED + SECOND), time(exact)] == [
        "2026-11-20T12:00Z",
        "2026-11-20T12:00:01Z",
        "2026-11-20T12:00:01.000005Z",
    ]
