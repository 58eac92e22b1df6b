"""What an election may be, and shares as they are written."""

from fractions import Fraction

import pytest

from domain.tally import BadElection, Election, Eligible, Requirement, check
from domain.tally.thresholds import read_share
from domain.tally.weights import RULES


def test_an_election_is_read_as_it_was_described():
    election = Election(
        method="yes-no",
        eligible=Eligible(40, 120),
        quorum=Fraction(1, 5),
        requirements=(
            Requirement.read(
                {"option": "yes", "bound": "at_least", "share": "66.7%", "of": "cast"}
            ),
        ),
    )

    assert Election.read(election.describe()) == election
    assert election.describe()["requirements"][0]["share"] == "667/1000"


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("2/3", Fraction(2, 3)),
        ("0.5", Fraction(1, 2)),
        ("66.7%", Fraction(667, 1000)),
        ("1", Fraction(1)),
        ("0", Fraction(0)),
        ("100%", Fraction(1)),
    ],
)
def test_a_share_is_a_fraction_a_decimal_or_a_percentage(text, share):
    assert read_share(text) == share


@pytest.mark.parametrize(
    "text", ["", "half", "1/0", "3/2", "101%", "-1/2", "1e9", "1e-9", "½", None, 0.5]
)
def test_what_is_no_share_is_refused(text):
    if text == 0.5:
        assert read_share(text) == Fraction(1, 2)
        return
    with pytest.raises(BadElection):
        read_share(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "condorcet"},
        {"method": ["irv"]},
        {"options": "ab"},
        {"options": ["a", "a"]},
        {"options": [""]},
        {"options": ["a\nb"]},
        {"options": [["a"]]},
        {"options": ["x" * 501]},
        {"options": [str(number) for number in range(1_001)]},
        {"seats": 0},
        {"seats": "2"},
        {"seats": True},
        {"seats": 10**9},
        {"score_max": 0},
        {"budget": -1},
        {"choices_min": -1},
        {"choices_min": 3, "choices_max": 2},
        {"quorum": "1/2"},
        {"eligible": {"people": 3}},
        {"eligible": {"people": -3, "weight": 1}},
        {"eligible": 3},
        {"requirements": {}},
        {"requirements": ["yes"]},
        {"requirements": [{"option": "a"}]},
        {
            "requirements": [
                {"option": "a", "bound": "about", "share": "1/2", "of": "cast"}
            ]
        },
        {
            "requirements": [
                {"option": "a", "bound": "at_least", "share": "1/2", "of": "cast"}
            ]
        },
        {"colour": "red"},
    ],
)
def test_an_election_that_cannot_be_counted_is_refused(wrong):
    with pytest.raises(BadElection):
        check(Election.read({"method": "score", "options": ["a", "b"]} | wrong))


def test_an_election_needs_a_method():
    with pytest.raises(BadElection, match="has a method"):
        Election.read({"options": ["a"]})


def test_a_square_root_is_exact_to_thousandths_and_rounded_down():
    by_root = RULES["square-root"]

    assert [by_root(held) for held in (0, 1, 2, 4, 10**12)] == [
        0,
        1_000,
        1_414,
        2_000,
        10**9,
    ]
    assert all(
        by_root(held) ** 2 <= held * 10**6 < (by_root(held) + 1) ** 2
        for held in range(2_000)
    )


def test_one_member_one_vote_and_votes_by_credits():
    assert (RULES["one-each"](900), RULES["credits"](900)) == (1, 900)
