"""Votes that are open now, for these tests to vote in over HTTP."""

from datetime import UTC, datetime

from domain.governance import proposals, types
from domain.governance.parameters import Parameters
from domain.governance.texts import Text
from domain.ids import uuid7

PROPOSALS = "/api/governance/proposals"
DELEGATIONS = "/api/governance/delegations"


def make_type(session, *, now=None, **rules):
    """Return the name of a type whose votes open as soon as they are opened."""
    quick = {"discussion_hours": 0, "freeze_hours": 0}
    given = {"about": "For a test.", "method": "yes-no", **quick, **rules}
    name = f"quick_{uuid7().hex}"
    now = now or datetime.now(UTC)
    types.change(session, name, Parameters(**given), changed_by=uuid7(), now=now)
    return name


def draft(session, author, *, options=(), now=None, **rules):
    """Return the id of a draft of such a type."""
    text = Text(
        title="Water for the garden",
        description="A tank beside the shed, for the summer.",
        options=options,
        details={},
    )
    now = now or datetime.now(UTC)
    name = make_type(session, now=now, **rules)
    return proposals.create(
        session, author=author, type_name=name, text=text, now=now
    ).row.id


def open_vote(session, author, *, now=None, **rules):
    """Return the id of a proposal that everybody votes on, now or from a time on."""
    now = now or datetime.now(UTC)
    proposal_id = draft(session, author, now=now, **rules)
    proposals.open_(session, proposal_id, actor=author, now=now)
    return proposal_id
