"""Methods that add up: single choice, approval, score and quadratic voting."""

from fractions import Fraction

import pytest

from domain.tally import (
    BadBallot,
    BadElection,
    Election,
    Eligible,
    Lots,
    count,
    gather,
)
from domain.tally.quadratic import cost


def elected(election, *cast, seed=b""):
    return count(election, gather(election, [(one, 1) for one in cast]), seed)


def an_election(method, **fixed):
    return Election(method=method, options=("ada", "ben", "cat"), **fixed)


def test_single_choice_elects_whoever_has_the_most():
    result = elected(an_election("single-choice"), "ada", "ben", "ben", None)

    assert result["elected"] == ["ben"]
    assert result["stages"][0]["votes"] == {"ada": 1, "ben": 2, "cat": 0}
    assert result["ballots"]["blank"] == 1


def test_approval_elects_as_many_as_there_are_seats():
    election = an_election("approval", seats=2)
    result = elected(election, ["ada", "ben"], ["ben", "cat"], ["ben", "ada"], [])

    assert result["elected"] == ["ben", "ada"]


def test_who_has_no_vote_is_not_elected_though_a_seat_stays_empty():
    result = elected(an_election("approval", seats=3), ["ada"])

    assert result["elected"] == ["ada"]


def test_score_adds_up_scores_and_what_is_left_out_is_0():
    result = elected(an_election("score"), {"ada": 5}, {"ben": 3, "ada": 0}, {"ben": 3})

    assert result["stages"][0]["votes"] == {"ada": 5, "ben": 6, "cat": 0}
    assert result["elected"] == ["ben"]


def test_in_quadratic_voting_many_who_care_a_little_outvote_one_who_cares_a_lot():
    election = an_election("quadratic", budget=25)
    result = elected(election, {"ada": 5}, {"ben": 3, "cat": 4}, {"ben": 3})

    assert result["elected"] == ["ben"]
    assert result["credits_spent"] == 25 + 25 + 9
    assert cost([3, 4]) == 25


def test_a_budget_cannot_be_overspent():
    election = an_election("quadratic", budget=25)

    with pytest.raises(BadBallot, match="cost 26 credits, the budget has 25"):
        elected(election, {"ada": 5, "ben": 1})


def test_credits_are_the_only_weight_in_quadratic_voting():
    election = an_election("quadratic")
    result = count(election, gather(election, [({"ada": 1}, 50), ({"ben": 2}, 1)]))

    assert result["elected"] == ["ben"]


def test_a_tie_for_the_last_seat_is_told_from_one_for_the_order():
    one = elected(an_election("single-choice"), "ada", "ben")
    two = elected(an_election("single-choice", seats=2), "ada", "ben")
    ticket = Lots(b"", one["ballots"]["sha256"]).ticket

    assert [tie["purpose"] for tie in one["ties"]] == ["seat"]
    assert [tie["purpose"] for tie in two["ties"]] == ["order of election"]
    assert one["elected"] == two["elected"][:1] == [min("ada", "ben", key=ticket)]


@pytest.mark.parametrize(
    ("method", "value", "fault"),
    [
        ("single-choice", "dan", "not one of the options"),
        ("single-choice", ["ada"], "not one of the options"),
        ("approval", "ada", "Name options"),
        ("approval", ["ada", "dan"], "Name options"),
        ("approval", ["ada", ["ben"]], "Name options"),
        ("approval", ["ada", "ada"], "named twice"),
        ("approval", ["ada"], "Choose 2 to 2"),
        ("approval", ["ada", "ben", "cat"], "Choose 2 to 2"),
        ("score", ["ada"], "a number each"),
        ("score", {"dan": 1}, "a number each"),
        ("score", {"ada": 6}, "from 0 to 5"),
        ("score", {"ada": -1}, "not below 0"),
        ("score", {"ada": 1.5}, "whole"),
        ("score", {"ada": True}, "whole"),
        ("score", [["ada", 1], ["ada", 2]], "named twice"),
        ("quadratic", {"ada": -2}, "not below 0"),
        ("irv", ["ada", "ada"], "named twice"),
        ("irv", "ada", "order of preference"),
        ("scottish-stv", ["dan"], "order of preference"),
        ("meek-stv", [None], "order of preference"),
    ],
)
def test_a_ballot_that_cannot_be_counted_is_refused(method, value, fault):
    choices = {"choices_min": 2, "choices_max": 2} if method == "approval" else {}

    with pytest.raises(BadBallot, match=fault):
        elected(an_election(method, **choices), value)


def test_bounds_of_choices_leave_a_blank_ballot_possible():
    election = an_election("approval", choices_min=2, choices_max=2)

    assert elected(election, [], ["ada", "ben"])["ballots"]["blank"] == 1


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("single-choice", "ada"),
        ("approval", ["ada"]),
        ("score", {"ada": 5}),
        ("quadratic", {"ada": 5}),
        ("irv", ["ada"]),
        ("scottish-stv", ["ada"]),
        ("meek-stv", ["ada"]),
    ],
)
def test_below_the_quorum_nobody_is_elected_by_any_method(method, value):
    fixed = {"eligible": Eligible(10, 10), "quorum": Fraction(1, 2)}
    election = an_election(method, **fixed)
    four, five = elected(election, *[value] * 4), elected(election, *[value] * 5)

    assert (four["elected"], four["failed_for"]) == ([], "quorum")
    assert (five["elected"], five["failed_for"]) == (["ada"], None)


@pytest.mark.parametrize("method", ["single-choice", "approval", "score", "meek-stv"])
def test_an_election_needs_options(method):
    with pytest.raises(BadElection, match="needs options"):
        elected(Election(method=method))
