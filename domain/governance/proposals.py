"""Proposals: drafted, discussed, opened, and withdrawn."""

import secrets
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import roles
from domain.councils.record import Council, CouncilMember
from domain.errors import Forbidden
from domain.governance import deeds, types
from domain.governance.cases import Case, find, happen
from domain.governance.lifecycle import CANCELLABLE, EDITABLE, Event, State
from domain.governance.parameters import COUNCIL, MEMBERS, Deed, Parameters
from domain.governance.record import (
    AmendmentChanged,
    BadProposal,
    Proposal,
    ProposalSeed,
    WrongState,
)
from domain.governance.texts import Text, write
from domain.ids import uuid7

_SEED_BYTES: Final = 32
# An amendment that was opened, and not turned down.
ADOPTABLE: Final = frozenset(State) - {
    *(State.DRAFT, State.FAILED, State.CANCELLED, State.VETOED, State.EXPIRED)
}


class NotYours(Forbidden):
    """This is for who proposed it."""

    code = "not_your_proposal"


class MayNotPropose(Forbidden):
    """Proposals of this type are made by others."""

    code = "may_not_propose"


def create(  # noqa: PLR0913  what is known of a proposal
    session: Session,
    *,
    author: UUID,
    type_name: str,
    text: Text,
    now: datetime,
    council_id: UUID | None = None,
    amends: UUID | None = None,
    by_rule: bool = False,
) -> Case:
    """Draft a proposal; who may not propose such a thing is refused at once.

    `by_rule`: a rule asks for it, in the name of who set that in motion.
    """
    rules = types.current(session, type_name)
    _require_council(session, rules.parameters, council_id)
    if not by_rule:
        require_one_of(
            session, author, rules.parameters.proposers, council_id=council_id, now=now
        )
    check_text(rules.parameters, text)
    deeds.check(session, rules.parameters, text)
    if amends is not None:
        find(session, amends).require(EDITABLE, now)
    row = Proposal(
        id=uuid7(),
        type=rules.name,
        type_version=rules.version,
        author=author,
        council_id=council_id,
        amends=amends,
        created_at=now,
        announced=str(State.DRAFT),
        turnout=0,
    )
    session.add(row)
    session.flush()
    write(session, row.id, text, author=author, now=now)
    return find(session, row.id)


def _require_council(
    session: Session, parameters: Parameters, council_id: UUID | None
) -> None:
    """Raise BadProposal when a council is missing, or there is none of that id."""
    if council_id is not None:
        if session.get(Council, council_id) is None:
            raise BadProposal("There is no such council.")
    elif COUNCIL in {parameters.proposers, parameters.electors}:
        raise BadProposal("A proposal of this type says of which council it is.")


def require_one_of(
    session: Session,
    person: UUID,
    group: str,
    *,
    council_id: UUID | None,
    now: datetime,
) -> None:
    """Raise MayNotPropose unless a person is of those whom a type names."""
    if group == MEMBERS:
        return
    if group == COUNCIL:
        seated = sa.select(CouncilMember.id).where(
            CouncilMember.council_id == council_id,
            CouncilMember.user_id == person,
            CouncilMember.since <= now,
            CouncilMember.until > now,
            CouncilMember.ended_at.is_(None),
        )
        if session.scalar(seated) is not None:
            return
    elif {group, "admin"} & roles.effective(session, person, now=now):
        return
    raise MayNotPropose(f"Proposals of this type are made by: {group}.")


def require_author(case: Case, person: UUID) -> None:
    """Raise NotYours unless a person has made the proposal.

    Who called for an election or a recall has no say in what follows from it.
    """
    if case.parameters.deed in deeds.CALLED:
        raise NotYours("Elections and recalls are nobody's own.")
    if case.row.author != person:
        raise NotYours


def is_signed(session: Session, case: Case) -> bool:
    """Say whether who opens a proposal now signs that."""
    return types.current(session, case.row.type).parameters.signed


def check_text(parameters: Parameters, text: Text) -> None:
    """Raise BadProposal when options or details are not what the type asks for.

    Those of an election are whoever stands at the freeze.
    """
    if parameters.deed is Deed.SEATS or not parameters.has_options:
        if text.options:
            raise BadProposal("Proposals of this type have no options of their own.")
    elif len(text.options) < 2:  # noqa: PLR2004  a choice
        raise BadProposal("A proposal of this type has two options at least.")
    if text.options:
        parameters.election(text.options)


def edit(
    session: Session, proposal_id: UUID, text: Text, *, editor: UUID, now: datetime
) -> Case:
    """Write a new version of the text while it may still change."""
    case = find(session, proposal_id, lock=True)
    require_author(case, editor)
    case.require(EDITABLE, now)
    if case.freeze is not None:
        # By another's clock, or by this one's before it waited for the lock.
        raise WrongState("Voting has opened, on the text as it was then.")
    check_text(case.parameters, text)
    deeds.check(session, case.parameters, text)
    write(session, proposal_id, text, after=case.text, author=editor, now=now)
    return find(session, proposal_id)


def adopt(  # noqa: PLR0913  what is adopted, into what, and by whom
    session: Session,
    proposal_id: UUID,
    *,
    amendment_id: UUID,
    version: int,
    editor: UUID,
    now: datetime,
) -> Case:
    """Make this version of an amendment the next version of what it amends.

    What the amendment leaves out, as its type may have to, stays as it was.
    """
    amendment = find(session, amendment_id)
    if amendment.row.amends != proposal_id:
        raise BadProposal("This is no amendment of the proposal.")
    amendment.require(ADOPTABLE, now)
    if amendment.text.version != version:
        raise AmendmentChanged(
            f"The amendment is at version {amendment.text.version} now.",
            version=amendment.text.version,
        )
    old, new = Text.of(find(session, proposal_id).text), Text.of(amendment.text)
    text = replace(
        new,
        options=new.options or old.options,
        tags=new.tags or old.tags,
        details=new.details or old.details,
    )
    return edit(session, proposal_id, text, editor=editor, now=now)


def open_(
    session: Session,
    proposal_id: UUID,
    *,
    actor: UUID,
    now: datetime,
    by_rule: bool = False,
) -> Case:
    """Open a draft to discussion, under the rules of its type as they are now.

    The seed of its lots is drawn here: voters know its hash before the first of them
    votes. `by_rule`: an election or a recall does it, which has asked who may.
    """
    case = find(session, proposal_id, lock=True)
    if not by_rule:
        require_author(case, actor)
    case.require({State.DRAFT}, now)
    rules = types.current(session, case.row.type)
    _require_council(session, rules.parameters, case.row.council_id)
    if not by_rule:
        deeds.require_by_hand(rules.parameters)
        require_one_of(
            session,
            actor,
            rules.parameters.proposers,
            council_id=case.row.council_id,
            now=now,
        )
    text = Text.of(case.text)
    check_text(rules.parameters, text)
    deeds.check(session, rules.parameters, text)
    case.row.type_version = rules.version
    session.add(
        ProposalSeed(proposal_id=proposal_id, seed=secrets.token_bytes(_SEED_BYTES))
    )
    happen(session, proposal_id, Event.OPENED, actor=actor, now=now)
    return find(session, proposal_id)


def cancel(
    session: Session, proposal_id: UUID, *, actor: UUID, reason: str, now: datetime
) -> Case:
    """Withdraw a proposal before its vote has closed."""
    case = find(session, proposal_id, lock=True)
    case.require(CANCELLABLE, now)
    happen(
        session,
        proposal_id,
        Event.CANCELLED,
        actor=actor,
        details={"reason": reason},
        now=now,
    )
    return find(session, proposal_id)


def conclude(
    session: Session, proposal_id: UUID, *, actor: UUID, statement: str, now: datetime
) -> Case:
    """Write down what came of a proposal that passed and has no deed; once."""
    case = find(session, proposal_id, lock=True)
    case.require({State.PASSED}, now)
    happen(
        session,
        proposal_id,
        Event.CONCLUDED,
        actor=actor,
        details={"statement": statement},
        now=now,
    )
    return find(session, proposal_id)
