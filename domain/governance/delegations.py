"""Delegations: one's vote in another's hands, until one votes or takes it back."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import users
from domain.errors import Invalid, NotFound
from domain.governance import types
from domain.governance.carrying import resolve
from domain.governance.voting_record import (
    ConflictOfInterest,
    Delegation,
    Elector,
    Participation,
)
from domain.ids import uuid7
from domain.pages import Page, Position, newest_first
from domain.roles import EndsTooEarly


class NoSuchDelegation(NotFound):
    """There is no such delegation, or it is not yours to see."""

    code = "no_such_delegation"


class DelegatedToYourself(Invalid):
    """Your vote is in your own hands already; name another person."""

    code = "delegated_to_yourself"


class Carried(NamedTuple):
    """What a ballot carries: people, its own voter among them, and their weight."""

    people: int
    votes: int


def create(  # noqa: PLR0913  what is known of a delegation
    session: Session,
    delegator: UUID,
    delegate: UUID,
    *,
    topic: str | None,
    until: datetime | None,
    now: datetime,
) -> Delegation:
    """Put a vote into another's hands, in the place of the one for the same topic."""
    if delegator == delegate:
        raise DelegatedToYourself
    if until is not None and until <= now:
        raise EndsTooEarly("A delegation ends after it began, so choose a later time.")
    if topic is not None:
        types.current(session, topic)
    users.get(session, delegate)
    # Two at once would both find no other to end.
    users.get(session, delegator, lock=True)
    standing = sa.update(Delegation).where(
        Delegation.delegator == delegator,
        Delegation.topic.is_not_distinct_from(topic),
        Delegation.ended_at.is_(None),
    )
    session.execute(standing.values(ended_at=now))
    made = Delegation(
        id=uuid7(),
        delegator=delegator,
        delegate=delegate,
        topic=topic,
        since=now,
        until=until,
        ended_at=None,
    )
    session.add(made)
    session.flush()
    return made


def find(session: Session, delegation_id: UUID, *, viewer: UUID) -> Delegation:
    """Return a delegation of or to somebody, or raise NoSuchDelegation."""
    found = session.get(Delegation, delegation_id)
    if found is None or viewer not in {found.delegator, found.delegate}:
        raise NoSuchDelegation
    return found


def end(
    session: Session, delegation_id: UUID, *, viewer: UUID, now: datetime
) -> Delegation:
    """Take a vote back, or give it back; it is over for what opens from now on."""
    found = find(session, delegation_id, viewer=viewer)
    session.refresh(found, with_for_update=True)
    if found.ended_at is None:
        found.ended_at = now
        session.flush()
    return found


def given(
    session: Session, person: UUID, *, start: Position | None, limit: int
) -> Page[Any]:
    """Return the delegations a person has made, newest first."""
    return _page(session, Delegation.delegator == person, start, limit)


def received(
    session: Session, person: UUID, *, start: Position | None, limit: int
) -> Page[Any]:
    """Return the delegations to a person, newest first."""
    return _page(session, Delegation.delegate == person, start, limit)


def _page(
    session: Session,
    whose: sa.ColumnElement[bool],
    start: Position | None,
    limit: int,
) -> Page[Any]:
    return newest_first(
        session,
        sa.select(Delegation).where(whose),
        column=Delegation.id,  # type: ignore[arg-type]
        key=lambda row: row.Delegation.id,
        start=start,
        limit=limit,
    )


def edges_of(session: Session, proposal_id: UUID) -> dict[UUID, UUID]:
    """Return who delegates to whom in a vote, as it was frozen.

    Who has an interest of their own may but abstain, so that nobody votes for them,
    and no vote goes on by way of them.
    """
    conflicted = sa.select(ConflictOfInterest.voter_id).where(
        ConflictOfInterest.proposal_id == proposal_id
    )
    rows = session.execute(
        sa.select(Elector.voter_id, Elector.delegate_id).where(
            Elector.proposal_id == proposal_id,
            Elector.delegate_id.is_not(None),
            Elector.voter_id.not_in(conflicted),
        )
    )
    return {row.voter_id: row.delegate_id for row in rows}


def voters_of(session: Session, proposal_id: UUID) -> set[UUID]:
    """Return who has voted on a proposal."""
    voted = sa.select(Participation.voter_id).where(
        Participation.proposal_id == proposal_id
    )
    return set(session.scalars(voted))


def carried(
    session: Session,
    proposal_id: UUID,
    cap: int | None,
    voters: Collection[UUID] | None = None,
) -> dict[UUID, Carried]:
    """Return what the ballot of everybody who voted carries, or of these voters alone.

    `cap` is how many people one may carry, themselves among them.
    """
    voted = voters_of(session, proposal_id)
    weights = _weights(session, proposal_id)
    behind = resolve(edges_of(session, proposal_id), voted, cap)
    return {
        voter: _sum(voter, behind.get(voter, ()), weights)
        for voter in (voted if voters is None else voted.intersection(voters))
    }


def _sum(voter: UUID, behind: tuple[UUID, ...], weights: Mapping[UUID, int]) -> Carried:
    votes = weights[voter] + sum(weights[one] for one in behind)
    return Carried(1 + len(behind), votes)


_WEIGHTS: Final = sa.select(Elector.voter_id, Elector.weight)


def _weights(session: Session, proposal_id: UUID) -> dict[UUID, int]:
    rows = session.execute(_WEIGHTS.where(Elector.proposal_id == proposal_id))
    return {row.voter_id: row.weight for row in rows}
