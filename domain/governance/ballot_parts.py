"""Ballots in the database: read in the order of their keys, a part at a time.

Of an open vote each person's latest ballot counts; of a secret one every ballot does.
What is delegated is weighed here, the rest where it lies.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.governance.cases import Case
from domain.governance.delegations import HANDS, carried
from domain.governance.voting_record import TallyPart
from domain.tally import canonical

# Before every key there is.
FIRST: Final = UUID(int=0)
# Each has thousands of ballots: more than one need not be in memory.
_PARTS_AT_ONCE: Final = 1

# Of a vote as new as this one the planner knows nothing and takes it for small: it
# would read and sort all that is left of it for each part. So it goes by the index.
_IN_ORDER: Final = sa.text("SET LOCAL enable_bitmapscan = off")
# Nor may it go through all electors for each ballot: weights are looked up one by one.
_WEIGHT: Final = """
    (SELECT weight FROM electors WHERE proposal_id = :id AND voter_id = key)"""
_ONE_EACH: Final = "1::bigint"
_OPEN: Final = """
    SELECT key, ballot, {weight} AS weight
    FROM (
        SELECT DISTINCT ON (voter_id) voter_id AS key, ballot FROM ballots
        WHERE proposal_id = :id AND voter_id > :after
        ORDER BY voter_id, sequence DESC LIMIT :count
    ) AS latest ORDER BY key"""
_SEALED: Final = """
    SELECT key, ballot, 1::bigint AS weight FROM secret_ballots
    WHERE proposal_id = :id AND key > :after ORDER BY key LIMIT :count"""


@dataclass(frozen=True, slots=True)
class Read:
    """How far ballots were read: parts, the last key, and how many ballots."""

    parts: int = 0
    last: UUID = FIRST
    ballots: int = 0


def read_so_far(session: Session, proposal_id: UUID) -> Read:
    """Return how far the ballots of a proposal were read."""
    row = session.execute(
        sa.select(
            TallyPart.part,
            TallyPart.last,
            sa.select(sa.func.sum(TallyPart.ballots))
            .where(TallyPart.proposal_id == proposal_id)
            .scalar_subquery(),
        )
        .where(TallyPart.proposal_id == proposal_id)
        .order_by(TallyPart.part.desc())
        .limit(1)
    ).first()
    return Read() if row is None else Read(row[0] + 1, row[1], int(row[2]))


def begun(session: Session, ids: Sequence[UUID]) -> set[UUID]:
    """Return of which of these proposals ballots were read."""
    found = sa.select(TallyPart.proposal_id).where(TallyPart.proposal_id.in_(ids))
    return set(session.scalars(found.distinct()))


def read_part(session: Session, case: Case, so_far: Read, *, count: int) -> int:
    """Store the next ballots, identical ones together; return how many there were."""
    bound = {
        "id": case.row.id,
        "part": so_far.parts,
        "after": so_far.last,
        "count": count,
    }
    if not case.parameters.delegation:
        session.execute(_IN_ORDER)
        stored = session.execute(_insertion(case), bound)
        return stored.scalar() or 0
    lines = voters(session, case, after=so_far.last, count=count)
    if lines:
        session.add(
            TallyPart(
                proposal_id=case.row.id,
                part=so_far.parts,
                last=lines[-1].voter,
                ballots=len(lines),
                groups=list(_grouped(lines)),
            )
        )
        session.flush()
    return len(lines)


def gathered(session: Session, proposal_id: UUID) -> Iterator[tuple[Any, int, int]]:
    """Yield the groups of every part, one part after another."""
    parts = session.scalars(
        sa.select(TallyPart.groups)
        .where(TallyPart.proposal_id == proposal_id)
        .order_by(TallyPart.part),
        execution_options={"yield_per": _PARTS_AT_ONCE},
    )
    for groups in parts:
        yield from groups


def forget_parts(session: Session, proposal_id: UUID) -> None:
    """Delete the parts, which a result has taken in."""
    session.execute(sa.delete(TallyPart).where(TallyPart.proposal_id == proposal_id))


def grouped_now(session: Session, case: Case) -> list[tuple[Any, int, int]]:
    """Return the ballots of an open vote as they stand, identical ones together."""
    bound: dict[str, Any] = {"id": case.row.id, "after": FIRST, "count": None}
    if case.parameters.delegation:
        cap = case.parameters.delegation_cap
        bound |= {"proposal": case.row.id, "voters": None, "cap": cap}
    rows = session.execute(_grouping(case), bound)
    return [(row.ballot, int(row.people), int(row.votes)) for row in rows]


@dataclass(frozen=True, slots=True)
class Line:
    """One person's ballot, how many people it stands for, and what they weigh."""

    voter: UUID
    ballot: Any
    people: int
    votes: int


def voters(
    session: Session, case: Case, *, after: UUID, count: int | None
) -> list[Line]:
    """Return who voted openly and how, in the order of their ids."""
    bound = {"id": case.row.id, "after": after, "count": count}
    session.execute(_IN_ORDER)
    rows = session.execute(sa.text(_open(case)), bound).all()
    if not case.parameters.delegation:
        return [Line(row.key, row.ballot, 1, row.weight) for row in rows]
    cap = case.parameters.delegation_cap
    hands = carried(session, case.row.id, cap, [row.key for row in rows])
    return [
        Line(row.key, row.ballot, hands[row.key].people, hands[row.key].votes)
        for row in rows
    ]


def _grouped(lines: list[Line]) -> Iterator[tuple[Any, int, int]]:
    people, votes = Counter[bytes](), Counter[bytes]()
    for line in lines:
        ballot = canonical(line.ballot)
        people[ballot] += line.people
        votes[ballot] += line.votes
    for ballot, number in people.items():
        yield json.loads(ballot), number, votes[ballot]


def _open(case: Case) -> str:
    weighted = case.parameters.weight != "one-each"
    return _OPEN.format(weight=_WEIGHT if weighted else _ONE_EACH)


def _insertion(case: Case) -> sa.TextClause:
    return sa.text(f"""
        WITH chunk AS MATERIALIZED (
            {_SEALED if case.parameters.secret else _open(case)}),
        grouped AS (
            SELECT ballot, count(*) AS people, sum(weight) AS votes
            FROM chunk GROUP BY ballot)
        INSERT INTO tally_parts (proposal_id, part, last, ballots, groups)
        SELECT :id, :part, (SELECT key FROM chunk ORDER BY key DESC LIMIT 1),
               (SELECT count(*) FROM chunk),
               (SELECT jsonb_agg(jsonb_build_array(ballot, people, votes))
                FROM grouped)
        WHERE EXISTS (SELECT FROM chunk)
        RETURNING ballots
    """)  # noqa: S608  the parts are constants


def _grouping(case: Case) -> sa.TextClause:
    latest = _open(case)
    if case.parameters.delegation:
        return sa.text(f"""
            {HANDS} SELECT ballot, sum(people) AS people, sum(votes) AS votes
            FROM ({latest}) AS latest JOIN hands ON carrier = key GROUP BY ballot
        """)  # noqa: S608  the parts are constants
    return sa.text(f"""
        SELECT ballot, count(*) AS people, sum(weight) AS votes
        FROM ({latest}) AS latest GROUP BY ballot
    """)  # noqa: S608  the parts are constants
