"""Yes, no and abstentions, with requirements on shares."""

from fractions import Fraction

import pytest

from domain.tally import (
    BadBallot,
    BadElection,
    Election,
    Eligible,
    Requirement,
    count,
    gather,
)


def requirement(option, bound, share, of="cast"):
    return Requirement.read(
        {"option": option, "bound": bound, "share": share, "of": of}
    )


def outcome(yes=0, no=0, abstain=0, **fixed):
    cast = [("yes", 1)] * yes + [("no", 1)] * no + [("abstain", 1)] * abstain
    election = Election(method="yes-no", **fixed)
    return count(election, gather(election, cast))


def test_without_requirements_more_yes_than_no_is_needed_and_a_tie_fails():
    assert outcome(yes=2, no=1)["outcome"] == "passed"
    assert outcome(yes=2, no=2)["outcome"] == "failed"
    assert outcome(yes=2, no=2)["failed_for"] == "threshold"


def test_abstentions_are_no_votes_cast_but_count_to_the_quorum():
    eligible = Eligible(people=10, weight=10)
    result = outcome(yes=1, abstain=4, eligible=eligible, quorum=Fraction(1, 2))

    assert result["cast"] == 1
    assert result["quorum"] == {
        "share": "1/2",
        "eligible": 10,
        "wanted": "5",
        "people": 5,
        "met": True,
    }
    assert result["outcome"] == "passed"
    assert outcome(yes=4, eligible=eligible, quorum=Fraction(1, 2))["failed_for"] == (
        "quorum"
    )


@pytest.mark.parametrize(
    ("bound", "votes", "met"),
    [
        ("at_least", 3, False),
        ("at_least", 4, True),
        ("more_than", 4, False),
        ("more_than", 5, True),
        ("at_most", 4, True),
        ("at_most", 5, False),
        ("less_than", 4, False),
        ("less_than", 3, True),
    ],
)
def test_a_bound_is_held_exactly(bound, votes, met):
    """Two thirds of six are four, and no rounding makes them less or more."""
    wanted = requirement("yes", bound, "2/3")
    result = outcome(yes=votes, no=6 - votes, requirements=(wanted,))

    (ticked,) = result["requirements"]
    assert (ticked["wanted"], ticked["votes"], ticked["met"]) == ("4", votes, met)
    assert result["outcome"] == ("passed" if met else "failed")


def test_all_of_several_requirements_must_be_met():
    wishes = (
        requirement("yes", "at_least", "75%", "eligible"),
        requirement("no", "at_most", "0", "cast"),
    )
    fixed = {"eligible": Eligible(4, 8), "requirements": wishes}
    election = Election(method="yes-no", **fixed)
    passed = count(election, gather(election, [("yes", 6)]))
    failed = count(election, gather(election, [("yes", 6), ("no", 1)]))

    assert [one["met"] for one in passed["requirements"]] == [True, True]
    assert [one["met"] for one in failed["requirements"]] == [True, False]
    assert (passed["outcome"], failed["outcome"]) == ("passed", "failed")


def test_nobody_having_voted_yes_or_no_passes_nothing():
    modest = requirement("yes", "at_least", "0")

    assert outcome(abstain=3, requirements=(modest,))["outcome"] == "failed"
    assert outcome(requirements=(modest,))["failed_for"] == "no votes"


def test_votes_weigh_what_they_weigh_and_people_are_people():
    election = Election(method="yes-no")
    result = count(election, gather(election, [("yes", 5), ("no", 2), ("no", 2)]))

    (stage,) = result["stages"]
    assert stage["votes"] == {"yes": 5, "no": 4, "abstain": 0}
    assert stage["people"] == {"yes": 1, "no": 2, "abstain": 0}
    assert result["outcome"] == "passed"


def test_for_and_against_are_the_same_words():
    election = Election(method="yes-no")
    words = ["YES", "FOR", "For", "NO", "AGAINST", "Abstain"]
    result = count(election, gather(election, [(word, 1) for word in words]))

    assert result["stages"][0]["votes"] == {"yes": 3, "no": 2, "abstain": 1}


@pytest.mark.parametrize("value", ["maybe", "", None, 1, ["yes"]])
def test_other_words_are_refused(value):
    election = Election(method="yes-no")

    with pytest.raises(BadBallot, match="yes or for"):
        gather(election, [(value, 1)])


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(BadElection, match="'maybe'"):
        outcome(yes=1, requirements=(requirement("maybe", "at_least", "1/2"),))
    with pytest.raises(BadElection, match="no options"):
        outcome(yes=1, options=("a",))
    with pytest.raises(BadElection, match="needs their number"):
        outcome(yes=1, quorum=Fraction(1, 2))
    with pytest.raises(BadElection, match="More people voted"):
        outcome(yes=3, eligible=Eligible(2, 2))
