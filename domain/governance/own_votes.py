"""One's own vote: whether it was cast, how, and who carries it if it was not."""

from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.governance import cases
from domain.governance.carrying import Forest
from domain.governance.cases import Case
from domain.governance.voting_record import (
    ConflictOfInterest,
    Elector,
    OpenBallot,
    Participation,
)
from domain.users import User

BALLOTS_SHOWN_MAX: Final = 50


def describe(session: Session, proposal_id: UUID, *, voter: UUID) -> dict[str, Any]:
    """Return what a person has to do with a vote, as JSON shows it."""
    case = cases.find(session, proposal_id)
    elector = session.get(Elector, (proposal_id, voter))
    conflict = session.get(ConflictOfInterest, (proposal_id, voter))
    voted = session.get(Participation, (proposal_id, voter)) is not None
    delegated = elector is not None and elector.delegate_id is not None
    carrier = None
    if delegated and not voted and conflict is None:
        carrier = _carrier(session, case, voter)
    return {
        "proposal_id": str(proposal_id),
        "definition_sha256": case.definition_sha256,
        "elector": elector
        and {
            "weight": elector.weight,
            "delegate_id": elector.delegate_id and str(elector.delegate_id),
        },
        "voted": voted,
        "conflict": conflict and describe_conflict(conflict),
        "ballots": _ballots(session, proposal_id, voter, BALLOTS_SHOWN_MAX),
        "carried_by": carrier and _shown(session, proposal_id, carrier),
    }


def describe_conflict(conflict: ConflictOfInterest) -> dict[str, Any]:
    """Return a conflict of interest as JSON shows it."""
    return {
        "proposal_id": str(conflict.proposal_id),
        "voter_id": str(conflict.voter_id),
        "reason": conflict.reason,
        "at": conflict.at.isoformat(),
    }


def _ballots(
    session: Session, proposal_id: UUID, voter: UUID, limit: int
) -> list[dict[str, Any]]:
    rows = session.scalars(
        sa.select(OpenBallot)
        .where(OpenBallot.proposal_id == proposal_id, OpenBallot.voter_id == voter)
        .order_by(OpenBallot.sequence.desc())
        .limit(limit)
    )
    return [
        {
            "sequence": row.sequence,
            "choice": row.ballot,
            "rationale": row.rationale,
            "cast_at": row.cast_at.isoformat(),
            "job_id": str(row.job_id),
        }
        for row in rows
    ]


def _shown(session: Session, proposal_id: UUID, carrier: UUID) -> dict[str, Any]:
    """Return who carries a vote, and how; a vote with delegation is never secret."""
    (newest,) = _ballots(session, proposal_id, carrier, 1)
    username = session.scalar(sa.select(User.username).where(User.id == carrier))
    return {
        "user_id": str(carrier),
        "username": username,
        "choice": newest["choice"],
        "rationale": newest["rationale"],
    }


_VOTED: Final = """EXISTS (
    SELECT FROM participations p
    WHERE p.proposal_id = :proposal AND p.voter_id = {person})"""
_GOES_ON: Final = """NOT EXISTS (
    SELECT FROM conflicts_of_interest c
    WHERE c.proposal_id = :proposal AND c.voter_id = e.voter_id)"""
# UNION and not UNION ALL: round a circle nothing new is found.
_WAY: Final = sa.text(f"""
    WITH RECURSIVE way(person) AS (
        SELECT e.delegate_id FROM electors e
        WHERE e.proposal_id = :proposal AND e.voter_id = :voter
        UNION
        SELECT e.delegate_id FROM way JOIN electors e
            ON e.proposal_id = :proposal AND e.voter_id = way.person
        WHERE NOT {_VOTED.format(person="way.person")} AND {_GOES_ON}
    )
    SELECT person FROM way WHERE {_VOTED.format(person="way.person")}
""")  # noqa: S608  the parts are constants
_BEHIND: Final = sa.text(f"""
    WITH RECURSIVE behind(person, delegate) AS (
        SELECT e.voter_id, e.delegate_id FROM electors e
        WHERE e.proposal_id = :proposal AND e.delegate_id = :carrier
          AND NOT {_VOTED.format(person="e.voter_id")} AND {_GOES_ON}
        UNION
        SELECT e.voter_id, e.delegate_id FROM behind JOIN electors e
            ON e.proposal_id = :proposal AND e.delegate_id = behind.person
        WHERE NOT {_VOTED.format(person="e.voter_id")} AND {_GOES_ON}
    )
    SELECT person, delegate FROM behind
""")  # noqa: S608  the same


def _carrier(session: Session, case: Case, voter: UUID) -> UUID | None:
    """Return whose ballot carries a vote; nobody's when it is beyond the cap."""
    bound = {"proposal": case.row.id, "voter": voter}
    carrier: UUID | None = session.scalar(_WAY, bound)
    cap = case.parameters.delegation_cap
    if carrier is None or cap is None:
        return carrier
    rows = session.execute(_BEHIND, {**bound, "carrier": carrier})
    edges = {row.person: row.delegate for row in rows}
    return carrier if voter in Forest(edges, [carrier]).behind(carrier, cap) else None
