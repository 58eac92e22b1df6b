"""What is answered of counted votes: results, why, packages, other counts."""

from typing import Any, Final

from marshmallow import fields

from api.shapes.members import (
    A_TIME,
    AN_ID,
    Shape,
    identity,
    mapping,
    moment,
    nested,
    text,
    truth,
    whole,
    words,
)

_HASH: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_PATH: Final = f"/api/governance/proposals/{AN_ID}"
_VOTES: Final[dict[str, Any]] = {"yes": 20, "no": 10, "abstain": 1}
_RESULT: Final[dict[str, Any]] = {"format": "coin tally 1", "outcome": "passed"}
BLT_EXAMPLE: Final = '2 1\n3 1 2 0\n0\n"ada"\n"ben"\n"A garden"\n'
VOTERS_EXAMPLE: Final = (
    f'{{"ballots_sha256":"{_HASH}","format":"coin voters 1","of":"voters",'
    f'"proposal_id":"{AN_ID}"}}\n["{AN_ID}","yes",1,1]\n'
    f'{{"lines":1,"sha256":"{_HASH}"}}\n'
)


class ElectorateShape(Shape):
    """Who may vote, as it was frozen."""

    people = whole(100)
    weight = whole(100)


class QuorumShape(Shape):
    """How many took part, and whether they suffice."""

    share = text("1/10")
    eligible = whole(100)
    wanted = text("10", about="Exact: a whole number, or a fraction.")
    people = whole(31)
    met = truth(example=True)


class SoFar(Shape):
    """The votes so far; they decide nothing yet."""

    people = whole(31)
    blank = whole(0)
    votes = mapping(_VOTES)


class Progress(Shape):
    """How far the ballots are counted."""

    counted = whole(50_000)
    of = whole(100_000)


class ResultLinks(Shape):
    """Where to go on."""

    proposal = text(_PATH)
    explain = text(f"{_PATH}/explain")
    package = text(f"{_PATH}/package", required=False)
    counts = text(f"{_PATH}/counts", required=False)


class ResultShape(Shape):
    """How a vote stands, or what came of it; once counted it never changes."""

    proposal_id = identity()
    phase = text("counted", about="before, open, counting, counted or cancelled.")
    method = text("yes-no")
    secret = truth(example=False)
    closes_at = moment(null=True)
    definition_sha256 = text(_HASH, null=True, about="Of all that was frozen.")
    electorate = nested(ElectorateShape, allow_none=True)
    turnout = whole(31, about="People who cast a ballot of their own.")
    quorum = nested(QuorumShape, allow_none=True)
    so_far = nested(SoFar, allow_none=True)
    progress = nested(Progress, allow_none=True)
    outcome = text("passed", null=True)
    failed_for = text(None, null=True)
    elected = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        metadata={"examples": [[]], "description": "In order of election."},
    )
    ballots_sha256 = text(_HASH, null=True)
    tally_id = identity(null=True)
    counted_at = moment(null=True)
    result = mapping(
        _RESULT, null=True, about="The whole count, every stage (docs/tally.md)."
    )
    withheld = text(None, null=True, about="Why more than the outcome is not shown.")
    links = nested(ResultLinks)


class RuleShape(Shape):
    """The rules a proposal is decided by."""

    type = text("simple_majority")
    type_version = whole(1)
    parameters = mapping({"method": "yes-no", "quorum": "1/10"})


class Explained(Shape):
    """Why a proposal is where it is."""

    proposal_id = identity()
    state = text("passed")
    definition_sha256 = text(_HASH, null=True, about="Of all that was frozen.")
    sentences = words("Voting closed 2026-12-01T12:00Z.", "Passed.")
    explanation = text("Voting closed 2026-12-01T12:00Z. Passed.")
    rule = nested(RuleShape)
    at = moment()


class PackageShape(Shape):
    """All that a result follows from: canonical JSON, for `coin tally verify`."""

    format = text("coin package 1")
    proposal_id = identity()
    definition = mapping({"format": "coin freeze 1", "proposal": AN_ID})
    definition_sha256 = text(_HASH)
    commitment = text(_HASH)
    seed = text(_HASH)
    ballots = fields.List(
        fields.Raw(),
        required=True,
        metadata={
            "examples": [[["no", 10, 10], ["yes", 20, 20]]],
            "description": "Identical ones together: ballot, people, votes.",
        },
    )
    ballots_sha256 = text(_HASH)
    result = mapping(_RESULT)


class CountShape(Shape):
    """One count for advice."""

    id = identity()
    proposal_id = identity()
    method = text("meek-stv")
    advisory = truth(example=True)
    definition_sha256 = text(_HASH, about="Of all that was frozen.")
    ballots_sha256 = text(_HASH, about="Of the ballots of the binding count.")
    at = moment(A_TIME)
    result = mapping(_RESULT)


class CountMade(Shape):
    """A count that was asked for."""

    count = nested(CountShape)


__all__ = [
    "BLT_EXAMPLE",
    "VOTERS_EXAMPLE",
    "CountMade",
    "CountShape",
    "Explained",
    "PackageShape",
    "ResultShape",
]
