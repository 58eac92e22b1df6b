"""Figures: how many tallies, councils and bounties there are, and how they stand."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

_TALLIES: Final = sa.text("""
    SELECT (SELECT count(DISTINCT proposal_id) FROM tally_parts) AS running,
           (SELECT count(*) FROM tallies WHERE NOT advisory) AS finished
""")
_SEATS: Final = sa.text("""
    SELECT held, seats - held AS vacant
    FROM (SELECT coalesce(sum(seats), 0) AS seats FROM councils) AS c,
         (SELECT count(*) AS held FROM council_members m
          JOIN users u ON u.id = m.user_id AND u.deleted_at IS NULL
          WHERE m.since <= :now AND m.until > :now AND m.ended_at IS NULL) AS m
""")
_BOUNTIES: Final = sa.text("""
    SELECT count(*) FILTER (WHERE expires_at > :now AND taken < places) AS open,
           count(*) FILTER (WHERE expires_at > :now AND taken >= places) AS full,
           count(*) FILTER (WHERE expires_at <= :now) AS expired,
           (SELECT count(*) FROM bounties WHERE closed_at IS NOT NULL) AS closed
    FROM (SELECT b.expires_at, b.participants_max AS places,
                 (SELECT count(*) FROM bounty_claims c
                  WHERE c.bounty_id = b.id AND c.rejected_at IS NULL) AS taken
          FROM bounties b WHERE b.closed_at IS NULL) AS unclosed
""")


def tallies(session: Session) -> dict[str, int]:
    """Return how many votes are being counted, and how many are."""
    return _one(session, _TALLIES)


def seats(session: Session, *, now: datetime) -> dict[str, int]:
    """Return how many seats of all councils are held, and how many are vacant."""
    return _one(session, _SEATS, now=now)


def bounties(session: Session, *, now: datetime) -> dict[str, int]:
    """Return how many bounties are in each state."""
    return _one(session, _BOUNTIES, now=now)


def _one(session: Session, asked: sa.TextClause, **bound: Any) -> dict[str, int]:
    (row,) = session.execute(asked, bound).mappings()
    return {name: int(count) for name, count in row.items()}
