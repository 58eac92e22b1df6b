"""What is answered about votes: ballots, delegations, conflicts of interest."""

from typing import Final

from marshmallow import fields

from api.shapes.members import (
    A_PERSON,
    AN_ID,
    Shape,
    identity,
    moment,
    nested,
    several,
    text,
    truth,
    whole,
)

_HASH: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class CastBallot(Shape):
    """What a voter is told: of an open ballot its number, of a secret one a receipt."""

    proposal_id = identity()
    definition_sha256 = text(_HASH, about="Of all that was frozen.")
    sequence = whole(
        1, required=False, about="Of your ballots the one of the highest number counts."
    )
    weight = whole(1, required=False)
    credits = whole(9, required=False, about="What a quadratic ballot costs in all.")
    receipt = text(
        "0f8fad5bd9cb469fa165b51b20a50d4e",
        required=False,
        about="Published after the count: your ballot is in it. It leads to no ballot.",
    )


class ElectorOf(Shape):
    """What was fixed for a voter when voting opened."""

    weight = whole(1)
    delegate_id = identity(None, null=True)


class Conflict(Shape):
    """A conflict of interest: who has one may but abstain."""

    proposal_id = identity()
    voter_id = identity(A_PERSON)
    reason = text("My brother would be paid.")
    at = moment()


class OwnBallot(Shape):
    """An open ballot as it was cast."""

    sequence = whole(1)
    choice = fields.Raw(required=True, allow_none=True, metadata={"examples": ["yes"]})
    rationale = text(None, null=True)
    cast_at = moment()
    job_id = identity(AN_ID)


class Carrier(Shape):
    """Who carries one's vote, and how they voted."""

    user_id = identity(A_PERSON)
    username = text("ada")
    choice = fields.Raw(required=True, allow_none=True, metadata={"examples": ["no"]})
    rationale = text(None, null=True)


class OwnVote(Shape):
    """What you have to do with a vote."""

    proposal_id = identity()
    definition_sha256 = text(_HASH, null=True, about="Of all that was frozen.")
    elector = nested(ElectorOf, allow_none=True)
    voted = truth(example=True)
    conflict = nested(Conflict, allow_none=True)
    ballots = several(OwnBallot)
    carried_by = nested(Carrier, allow_none=True)


class Delegation(Shape):
    """One's vote in another's hands."""

    id = identity()
    delegator_id = identity(A_PERSON)
    delegate_id = identity(A_PERSON)
    topic = text(None, null=True, about="A type of proposals; null: all of them.")
    since = moment()
    until = moment(None, null=True)
    ended_at = moment(None, null=True)
