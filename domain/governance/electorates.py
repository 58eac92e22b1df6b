"""Electorates: who may vote, what their votes weigh, and in whose hands they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.governance.parameters import COUNCIL, MEMBERS, Parameters
from domain.governance.record import Proposal
from domain.principals import PEOPLES_APPLICATION
from domain.tally.weights import ROOT_UNITS


@dataclass(frozen=True, slots=True)
class Electorate:
    """How many may vote, what they weigh together, and the hash of them all.

    The hash is the SHA-256 of a line for each elector, "voter weight delegate", without
    a delegate "voter weight -", in order of the voters, parted by newlines.
    """

    people: int
    weight: int
    sha256: str


# Each is a condition on `u`: whoever was one of them then.
_GROUPS: Final[Mapping[str, str]] = {
    MEMBERS: "true",
    COUNCIL: """EXISTS (
        SELECT FROM council_members m
        WHERE m.council_id = :council AND m.user_id = u.id
          AND m.since <= :at AND m.until > :at
          AND (m.ended_at IS NULL OR m.ended_at > :at))""",
}
_HOLDERS: Final = """EXISTS (
    SELECT FROM role_grants g
    WHERE g.role = :group AND g.user_id = u.id AND g.granted_at <= :at
      AND (g.ends_at IS NULL OR g.ends_at > :at)
      AND (g.revoked_at IS NULL OR g.revoked_at > :at))"""

# The last entry at or before that time, as domain/ledger/statements.py has it.
_HELD: Final = """
    SELECT u.id, coalesce(held.balance, 0) AS balance
    FROM eligible u
    LEFT JOIN accounts a ON a.application = :application AND a.shard = 0
        AND a.owner = u.id::text
    LEFT JOIN LATERAL (
        SELECT balance_after AS balance FROM entries
        WHERE account_id = a.id AND created_at <= :at
        ORDER BY version DESC LIMIT 1) AS held ON true"""
# `sqrt` of a numeric is rounded: one more than the root, perhaps, and never less.
_ROOT: Final = f"""
    SELECT id, (root - (root * root > square)::integer)::bigint AS weight
    FROM (SELECT id, square, trunc(sqrt(square)) AS root FROM (
        SELECT id, balance::numeric * {ROOT_UNITS * ROOT_UNITS} AS square
        FROM ({_HELD}) AS held) AS squares) AS roots"""  # noqa: S608  the parts are constants
_WEIGHTS: Final[Mapping[str, str]] = {
    "one-each": "SELECT id, 1::bigint AS weight FROM eligible",
    "credits": f"SELECT id, balance AS weight FROM ({_HELD}) AS held",  # noqa: S608
    "square-root": _ROOT,
}

# The one for the type of proposal goes before the one for all, also when it leads to
# somebody who may not vote: then the vote is in nobody's hands.
_CHOSEN: Final = """
    SELECT DISTINCT ON (delegator) delegator, delegate FROM delegations
    WHERE since <= :at AND (until IS NULL OR until > :at)
      AND (ended_at IS NULL OR ended_at > :at) AND (topic IS NULL OR topic = :topic)
    ORDER BY delegator, topic NULLS LAST, since DESC, id DESC"""
_NOBODY: Final = """
    SELECT NULL::uuid AS delegator, NULL::uuid AS delegate WHERE false"""

_LINE: Final = "voter_id || ' ' || weight || ' ' || coalesce(delegate_id::text, '-')"


def store_electors(
    session: Session, proposal: Proposal, parameters: Parameters, *, at: datetime
) -> Electorate:
    """Store who may vote on a proposal, as all was at that time."""
    bound = {
        "proposal": proposal.id,
        "topic": proposal.type,
        "council": proposal.council_id,
        "group": parameters.electors,
        "application": PEOPLES_APPLICATION,
        "at": at,
        "joined": at - timedelta(days=parameters.electors_days),
    }
    session.execute(_insertion(parameters), bound)
    return Electorate(*session.execute(_SUMMED, bound).one())


def _insertion(parameters: Parameters) -> sa.TextClause:
    group = _GROUPS.get(parameters.electors, _HOLDERS)
    chosen = _CHOSEN if parameters.delegation else _NOBODY
    return sa.text(f"""
        WITH eligible AS MATERIALIZED (
            SELECT u.id FROM users u
            WHERE u.created_at <= :joined
              AND (u.deleted_at IS NULL OR u.deleted_at > :at) AND {group}
        ), weighed AS ({_WEIGHTS[parameters.weight]}), chosen AS ({chosen})
        INSERT INTO electors (proposal_id, voter_id, weight, delegate_id)
        SELECT :proposal, w.id, w.weight, delegate.id
        FROM weighed w
        LEFT JOIN chosen ON chosen.delegator = w.id
        LEFT JOIN eligible delegate ON delegate.id = chosen.delegate
    """)  # noqa: S608  the parts are constants


_SUMMED: Final = sa.text(f"""
    SELECT count(*), coalesce(sum(weight), 0)::bigint,
           encode(sha256(convert_to(coalesce(
               string_agg({_LINE}, E'\\n' ORDER BY voter_id), ''), 'UTF8')), 'hex')
    FROM electors WHERE proposal_id = :proposal
""")  # noqa: S608  the line is a constant
