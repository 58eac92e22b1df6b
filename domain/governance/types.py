"""Types of proposals: their newest rules, and how those came to be."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from domain.governance.parameters import Parameters
from domain.governance.record import NoSuchProposalType, ProposalType

NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,63}")
_CHANGING: Final = sa.text("SELECT pg_advisory_xact_lock(hashtext('proposal types'))")


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of a type."""

    name: str
    version: int
    parameters: Parameters
    created_at: datetime
    changed_by: UUID | None

    def describe(self) -> dict[str, Any]:
        """Return the version as JSON shows it."""
        return {
            "name": self.name,
            "version": self.version,
            "parameters": self.parameters.describe(),
            "created_at": self.created_at.isoformat(),
            "changed_by": self.changed_by and str(self.changed_by),
        }


def newest(session: Session) -> list[Rules]:
    """Return the rules of every type that hold now, by name."""
    rows = session.scalars(
        sa.select(ProposalType)
        .ext(distinct_on(ProposalType.name))
        .order_by(ProposalType.name, ProposalType.version.desc())
    )
    return [_read(row) for row in rows]


def versions(session: Session, name: str) -> Sequence[Rules]:
    """Return all versions of a type, newest first, or raise NoSuchProposalType."""
    rows = session.scalars(
        sa.select(ProposalType)
        .where(ProposalType.name == name)
        .order_by(ProposalType.version.desc())
    )
    found = [_read(row) for row in rows]
    if not found:
        raise NoSuchProposalType
    return found


def current(session: Session, name: str) -> Rules:
    """Return the rules of a type that hold now, or raise NoSuchProposalType."""
    row = session.scalar(
        sa.select(ProposalType)
        .where(ProposalType.name == name)
        .order_by(ProposalType.version.desc())
        .limit(1)
    )
    if row is None:
        raise NoSuchProposalType
    return _read(row)


def lock(session: Session) -> None:
    """Let nobody else change rules until this transaction ends.

    What a change may do depends on the rules of all types, not on those of one.
    """
    session.execute(_CHANGING)


def change(
    session: Session,
    name: str,
    parameters: Parameters,
    *,
    changed_by: UUID,
    now: datetime,
) -> Rules:
    """Add a version of a type, or the first of a new one.

    Two changes at once, without the lock, meet in the primary key.
    """
    last = session.scalar(
        sa.select(sa.func.max(ProposalType.version)).where(ProposalType.name == name)
    )
    made = ProposalType(
        name=name,
        version=(last or 0) + 1,
        parameters=parameters.describe(),
        created_at=now,
        changed_by=changed_by,
    )
    session.add(made)
    session.flush()
    return _read(made)


def may_change(
    by: Parameters, target: Parameters | None, new: Parameters, *, highest: int
) -> bool:
    """Say whether proposals of one type may give another these rules, or add one.

    By a stricter type only, which is one of a higher rank, and never up to its own:
    what it made could then do in its place what it may. The strictest of all changes
    itself, for there is none above it, and adds types.
    """
    if by.rank == highest:
        return new.rank <= highest
    return target is not None and max(target.rank, new.rank) < by.rank


def _read(row: ProposalType) -> Rules:
    return Rules(
        name=row.name,
        version=row.version,
        parameters=Parameters.read(row.parameters),
        created_at=row.created_at,
        changed_by=row.changed_by,
    )
