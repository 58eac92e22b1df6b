"""What is answered about proposals: what they say, where they are, and their rules."""

from typing import Final

from api.shapes.members import (
    A_PERSON,
    Shape,
    identity,
    mapping,
    moment,
    nested,
    several,
    text,
    whole,
    words,
)

_RULES: Final = {
    "about": "Anything that more than half of those who vote should want.",
    "method": "yes-no",
    "quorum": "1/10",
    "voting_days": 7,
}
_A_TITLE: Final = "Plant lime trees along the canal"
_A_TEXT: Final = "Twelve trees between the two bridges, planted in autumn."
_SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class Timeline(Shape):
    """When a proposal goes from one state into the next, as things are now."""

    opened_at = moment()
    frozen_at = moment("2026-11-23T21:50:00+00:00")
    voting_at = moment("2026-11-24T21:50:00+00:00")
    closes_at = moment("2026-12-01T21:50:00+00:00")
    executable_at = moment("2026-12-01T21:50:00+00:00")
    expires_at = moment("2026-12-15T21:50:00+00:00")


class Frozen(Shape):
    """What was fixed before anybody voted, and its hash."""

    at = moment()
    people = whole(420)
    weight = whole(420)
    sha256 = text(_SHA256)


class Happened(Shape):
    """Something that happened to a proposal; each kind of thing happens once."""

    kind = text("opened")
    at = moment()
    actor = identity(A_PERSON, null=True)
    details = mapping({})


class ProposalSummary(Shape):
    """A proposal in a list."""

    id = identity()
    type = text("simple_majority")
    type_version = whole(1)
    state = text("voting", about="It follows from what happened, and from the time.")
    author = identity(A_PERSON)
    council_id = identity(None, null=True)
    amends = identity(None, null=True)
    title = text(_A_TITLE)
    tags = words("trees")
    version = whole(1)
    created_at = moment()
    timeline = nested(Timeline, allow_none=True)
    turnout = whole(17, about="How many have voted.")
    commitment = text(
        _SHA256,
        null=True,
        about="The hash of the seed that lots are drawn with; null for a draft.",
    )
    freeze = nested(Frozen, allow_none=True)


class Proposal(ProposalSummary):
    """A proposal."""

    description = text(_A_TEXT)
    options = words()
    details = mapping({})
    events = several(Happened)


class Similar(Shape):
    """Another proposal that shares words with it."""

    id = identity()
    title = text(_A_TITLE)


class NewProposal(Proposal):
    """A draft, and what was proposed before in words like its own."""

    similar = several(Similar)


class ProposalVersion(Shape):
    """What a proposal said, and what that changed."""

    version = whole(1)
    at = moment()
    author = identity(A_PERSON)
    title = text(_A_TITLE)
    description = text(_A_TEXT)
    options = words()
    tags = words("trees")
    details = mapping({})
    diff = words()
    definition_sha256 = text(
        _SHA256, null=True, about="Of what was frozen, where that is this version."
    )


class ProposalType(Shape):
    """The rules of a type of proposals; `changed_by` is the proposal they are by."""

    name = text("simple_majority")
    version = whole(1)
    parameters = mapping(_RULES)
    created_at = moment()
    changed_by = identity(None, null=True)


class ProposalTypes(Shape):
    """Every type with the rules that hold now."""

    types = several(ProposalType)


class ProposalTypeVersions(Shape):
    """Every version of a type's rules, newest first."""

    versions = several(ProposalType)
