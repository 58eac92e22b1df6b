"""Delegations: one's vote in another's hands, until one votes or takes it back."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import users
from domain.errors import Invalid, NotFound
from domain.governance import types
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


# From each who voted to those whose votes are in their hands, and so on to the end of
# every way: everybody has one delegate, so that nobody is come by twice, and no circle
# is ever entered. Read are those who are carried, however many electors there are, and
# one by one: of a vote as new as this one the planner knows nothing.
HANDS: Final = """
    WITH RECURSIVE chosen AS MATERIALIZED (
        SELECT voter_id FROM participations
        WHERE proposal_id = :proposal
          AND (CAST(:voters AS uuid[]) IS NULL
               OR voter_id = ANY(CAST(:voters AS uuid[])))
    ), behind(carrier, person, weight, distance) AS (
        SELECT voter_id, voter_id, 0::bigint, 0 FROM chosen
        UNION ALL
        SELECT behind.carrier, next.voter_id, next.weight, behind.distance + 1
        FROM behind CROSS JOIN LATERAL (
            SELECT e.voter_id, e.weight FROM electors e
            WHERE e.proposal_id = :proposal AND e.delegate_id = behind.person
              AND (SELECT p.voter_id FROM participations p
                   WHERE p.proposal_id = :proposal AND p.voter_id = e.voter_id) IS NULL
              AND (SELECT c.voter_id FROM conflicts_of_interest c
                   WHERE c.proposal_id = :proposal AND c.voter_id = e.voter_id) IS NULL
            OFFSET 0
        ) AS next
    ), placed AS (
        SELECT carrier, weight, row_number() OVER (
            PARTITION BY carrier ORDER BY distance, person) AS place
        FROM behind
    ), summed AS (
        SELECT carrier, count(*) AS people, sum(weight) AS weight FROM placed
        WHERE CAST(:cap AS integer) IS NULL OR place <= CAST(:cap AS integer)
        GROUP BY carrier
    ), hands AS (
        SELECT carrier, people, weight + (
            SELECT e.weight FROM electors e
            WHERE e.proposal_id = :proposal AND e.voter_id = carrier) AS votes
        FROM summed
    )"""
_CARRIED: Final = sa.text(HANDS + "SELECT * FROM hands")  # noqa: S608  a constant


def carried(
    session: Session,
    proposal_id: UUID,
    cap: int | None,
    voters: Collection[UUID] | None = None,
) -> dict[UUID, Carried]:
    """Return what the ballot of everybody who voted carries, or of these voters alone.

    `cap` is how many people one may carry, themselves among them: the nearest first,
    then by their ids.
    """
    bound = {
        "proposal": proposal_id,
        "cap": cap,
        "voters": None if voters is None else "{" + ",".join(map(str, voters)) + "}",
    }
    rows = session.execute(_CARRIED, bound)
    return {row.carrier: Carried(row.people, int(row.votes)) for row in rows}
