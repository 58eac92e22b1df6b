"""Bounties as they stand: how many take part, what is held, and in which state."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain import roles
from domain.bounties.record import Bounty, BountyClaim
from domain.errors import Forbidden, NotFound
from domain.ledger.accounts import BOUNTY
from domain.pages import Page, Position, newest_first

# How long the creator may take to look at claims when the time to make one is over.
JUDGED_WITHIN: Final = timedelta(days=7)
_OPERATORS: Final = frozenset({"operator", "admin"})


class NoSuchBounty(NotFound):
    """There is no such bounty."""

    code = "no_such_bounty"


class NotYourBounty(Forbidden):
    """This is for who created the bounty, and for operators."""

    code = "not_your_bounty"


class State(StrEnum):
    """Where a bounty is; it follows from its rows and the time."""

    OPEN = "open"
    FULL = "full"
    EXPIRED = "expired"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Standing:
    """A bounty with how many claims are not rejected, and how many of them are paid."""

    row: Bounty
    taken: int
    paid: int

    @property
    def held(self) -> int:
        """Return what its account holds: the rewards of the places not paid."""
        if self.row.closed_at is not None:
            return 0
        return self.row.reward * (self.row.participants_max - self.paid)

    def state(self, now: datetime) -> State:
        """Return where the bounty is at a moment."""
        if self.row.closed_at is not None:
            return State.CLOSED
        if now >= self.row.expires_at:
            return State.EXPIRED
        full = self.taken >= self.row.participants_max
        return State.FULL if full else State.OPEN

    def may_close(self, now: datetime) -> bool:
        """Say whether what is left may go back: nobody waits, or has waited enough."""
        waited = now >= self.row.expires_at + JUDGED_WITHIN
        return waited or self.taken == self.paid

    def describe(self, now: datetime) -> dict[str, Any]:
        """Return the bounty as JSON shows it."""
        row = self.row
        return {
            "id": str(row.id),
            "creator": str(row.creator),
            "proposal_id": row.proposal_id and str(row.proposal_id),
            "title": row.title,
            "description": row.description,
            "reward": row.reward,
            "participants_max": row.participants_max,
            "participants": self.taken,
            "paid": self.paid,
            "held": self.held,
            "account": account_of(row.id),
            "state": str(self.state(now)),
            "expires_at": row.expires_at.isoformat(),
            "created_at": row.created_at.isoformat(),
            "closed_at": row.closed_at and row.closed_at.isoformat(),
            "held_by": str(row.held_by),
            "refunded_by": row.refunded_by and str(row.refunded_by),
        }


def account_of(bounty_id: UUID) -> str:
    """Return the owner of the account that holds a bounty's credits, and no others."""
    return f"{BOUNTY}{bounty_id}"


def find(session: Session, bounty_id: UUID) -> Standing:
    """Return a bounty, or raise NoSuchBounty."""
    found = session.execute(_standing().where(Bounty.id == bounty_id), **_FRESH).first()
    if found is None:
        raise NoSuchBounty
    return Standing(*found)


def lock(session: Session, bounty_id: UUID) -> Standing:
    """Return a bounty that nobody else changes until the transaction ends."""
    locked = sa.select(Bounty.id).where(Bounty.id == bounty_id).with_for_update()
    session.execute(locked)
    return find(session, bounty_id)


def page(  # noqa: PLR0913  the filters of the list
    session: Session,
    *,
    state: State | None = None,
    proposal_id: UUID | None = None,
    creator: UUID | None = None,
    start: Position | None = None,
    limit: int,
    now: datetime,
) -> Page[Any]:
    """Return bounties, newest first."""
    statement = _standing()
    if proposal_id is not None:
        statement = statement.where(Bounty.proposal_id == proposal_id)
    if creator is not None:
        statement = statement.where(Bounty.creator == creator)
    if state is not None:
        statement = statement.where(*_in_state(state, now))
    return newest_first(
        session,
        statement,
        column=Bounty.id,  # type: ignore[arg-type]
        key=lambda row: row.Bounty.id,
        start=start,
        limit=limit,
    )


def overdue(session: Session, *, count: int, now: datetime) -> list[Bounty]:
    """Return bounties whose time is over and whose credits may go back."""
    late = Bounty.closed_at.is_(None), Bounty.expires_at <= now
    waited = Bounty.expires_at <= now - JUDGED_WITHIN
    found = sa.select(Bounty).where(*late, waited | (_taken() == _paid()))
    return list(session.scalars(found.order_by(Bounty.expires_at).limit(count)))


def require_judge(
    session: Session, bounty: Bounty, person: UUID, *, now: datetime
) -> None:
    """Raise NotYourBounty unless a person created it, or is an operator."""
    if bounty.creator == person:
        return
    if not _OPERATORS & roles.effective(session, person, now=now):
        raise NotYourBounty


_FRESH: Final[dict[str, Any]] = {"execution_options": {"populate_existing": True}}


def _count(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.count())
        .select_from(BountyClaim)
        .where(BountyClaim.bounty_id == Bounty.id, *conditions)
        .correlate(Bounty)
        .scalar_subquery()
    )


def _taken() -> sa.ScalarSelect[int]:
    return _count(BountyClaim.rejected_at.is_(None))


def _paid() -> sa.ScalarSelect[int]:
    return _count(BountyClaim.paid_at.is_not(None))


def _standing() -> sa.Select[Any]:
    columns: Any = (Bounty, _taken().label("taken"), _paid().label("paid"))
    found: sa.Select[Any] = sa.select(*columns)
    return found


def _in_state(state: State, now: datetime) -> list[sa.ColumnElement[bool]]:
    if state is State.CLOSED:
        return [Bounty.closed_at.is_not(None)]
    stands = Bounty.closed_at.is_(None)
    if state is State.EXPIRED:
        return [stands, Bounty.expires_at <= now]
    full = _taken() >= Bounty.participants_max
    return [stands, Bounty.expires_at > now, full if state is State.FULL else ~full]
