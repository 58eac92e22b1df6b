"""Votes that are open now, for these tests to vote in over HTTP."""

from datetime import UTC, datetime

from domain.governance import proposals, types
from domain.governance.parameters import Parameters
from domain.governance.texts import Text
from domain.ids import uuid7

PROPOSALS = "/api/governance/proposals"
DELEGATIONS = "/api/governance/delegations"


def make_type(session, **rules):
    """Return the name of a type whose votes open as soon as they are opened."""
    quick = {"discussion_hours": 0, "freeze_hours": 0}
    given = {"about": "For a test.", "method": "yes-no", **quick, **rules}
    name = f"quick_{uuid7().hex}"
    now = datetime.now(UTC)
    types.change(session, name, Parameters(**given), changed_by=uuid7(), now=now)
    return name


def draft(session, author, *, options=(), **rules):
    """Return the id of a draft of such a type."""
    text = Text(
        title="Water for the garden",
        description="A tank beside the shed, for the summer.",
        options=options,
        details={},
    )
    name = make_type(session, **rules)
    now = datetime.now(UTC)
    return proposals.create(
        session, author=author, type_name=name, text=text, now=now
    ).row.id


def open_vote(session, author, **rules):
    """Return the id of a proposal that everybody votes on now."""
    proposal_id = draft(session, author, **rules)
    now = datetime.now(UTC)
    proposals.open_(session, proposal_id, actor=author, now=now)
    return proposal_id
