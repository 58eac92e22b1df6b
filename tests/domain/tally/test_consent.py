"""Consent: one objection with a reason stops it."""

import pytest

from domain.tally import (
    BadBallot,
    BadElection,
    Ballots,
    Election,
    Requirement,
    count,
    gather,
)
from domain.tally.consent import REASON_LENGTH_MAX

ELECTION = Election(method="consent")


def outcome(*cast):
    return count(ELECTION, gather(ELECTION, [(value, 1) for value in cast]))


def test_consent_without_objections_passes():
    result = outcome("consent", "abstain", "CONSENT")

    assert result["outcome"] == "passed"
    assert result["stages"][0]["votes"] == {
        "consent": 2,
        "abstain": 1,
        "objection": 0,
    }


def test_one_objection_stops_it_whatever_the_others_weigh_and_its_reason_is_told():
    cast = [("consent", 100), ({"objection": " Too dear. "}, 1), ("consent", 100)]
    result = count(ELECTION, gather(ELECTION, cast))

    assert result["failed_for"] == "threshold"
    assert result["reasons"] == ["Too dear."]


def test_the_same_reason_of_many_is_told_once():
    """Whoever objects may carry thousands, and theirs is one reason."""
    too_dear, too_late = {"objection": "Too dear."}, {"objection": "Too late."}
    ballots = Ballots([(("objection", "Too dear."), 5_000, 5_000)])

    said = outcome(too_dear, too_late, too_dear)
    assert said["reasons"] == ["Too dear.", "Too late."]
    assert said["stages"][0]["votes"]["objection"] == 3
    assert count(ELECTION, ballots)["reasons"] == ["Too dear."]


def test_abstentions_alone_are_no_consent():
    assert outcome("abstain", "abstain")["outcome"] == "failed"


@pytest.mark.parametrize(
    "value",
    [
        "objection",
        {"objection": ""},
        {"objection": "  "},
        {"objection": "x" * (REASON_LENGTH_MAX + 1)},
        {"objection": 1},
        {"objection": "a", "more": "b"},
        "yes",
        None,
        [],
    ],
)
def test_an_objection_needs_a_reason_and_other_words_are_refused(value):
    with pytest.raises(BadBallot, match="your reason"):
        outcome(value)


def test_it_takes_no_options_and_no_requirements():
    requirement = Requirement.read(
        {"option": "yes", "bound": "at_least", "share": "1/2", "of": "cast"}
    )
    for fixed in ({"options": ("a",)}, {"requirements": (requirement,)}):
        with pytest.raises(BadElection, match="no options and no requirements"):
            gather(Election(method="consent", **fixed), [])
