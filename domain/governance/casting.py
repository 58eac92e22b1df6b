"""Casting: ballots by hundreds, from what was accepted into what will be counted.

A ballot counts by the time it was accepted. Open ballots are kept with their voter, the
last of each counts. Of a secret one is kept who has voted, and apart from that what was
cast: neither table tells of the other, nor when.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.errors import DomainError
from domain.governance.boxes import CAST, CAST_SECRET, Box, open_boxes, proposal_of
from domain.governance.record import NoSuchProposal
from domain.governance.spending import QUADRATIC, Price, Purses, season_of
from domain.jobs import Claim, Outcome
from domain.tally.quadratic import cost

__all__ = ["CAST", "CAST_SECRET", "cast"]


def cast(
    session: Session, claims: Sequence[Claim], *, lane: int, now: datetime
) -> list[Outcome]:
    """Cast ballots in the order accepted, and return what became of each.

    Processes of the API may store them in another order than they accepted them in.
    """
    boxes = open_boxes(session, claims, now=now)
    purses = _purses(session, boxes, claims, lane=lane, now=now)
    outcomes = {
        claim.id: _outcome(session, boxes, purses, claim)
        for claim in sorted(claims, key=attrgetter("submitted_at"))
    }
    if purses is not None:
        purses.settle()
    _store(session, boxes)
    _forget_choices(session, claims)
    return [outcomes[claim.id] for claim in claims]


def _outcome(
    session: Session, boxes: Mapping[UUID, Box], purses: Purses | None, claim: Claim
) -> Outcome:
    try:
        box = boxes.get(proposal_of(claim))
        if box is None:
            raise NoSuchProposal
        voter, ballot = box.examine(claim)
        paid = {}
        if purses is not None and (price := _price(box, voter, ballot)):
            purses.pay(claim, price)
            paid = {"credits": price.credits}
        told = box.put(session, claim, voter, ballot)
    except DomainError as refusal:
        return Outcome(claim.id, refusal=refusal)
    return Outcome(claim.id, result={**told, **paid})


def _purses(
    session: Session,
    boxes: Mapping[UUID, Box],
    claims: Sequence[Claim],
    *,
    lane: int,
    now: datetime,
) -> Purses | None:
    """Return the purses of those whose votes cost credits, if there are any."""
    voters = {
        claim.principal
        for claim in claims
        if (box := boxes.get(proposal_of(claim)))
        and _is_paid(box)
        and claim.principal in box.electors
    }
    known = {voter for voter in voters if voter is not None}
    return Purses(session, known, lane=lane, now=now) if known else None


def _is_paid(box: Box) -> bool:
    return box.case.parameters.method == QUADRATIC


def _price(box: Box, voter: UUID, ballot: Any) -> Price | None:
    if not _is_paid(box) or box.times is None:
        return None
    return Price(
        proposal_id=box.case.row.id,
        voter=voter,
        credits=cost(votes for _, votes in ballot),
        season=season_of(box.times.voting),
        budget=box.case.parameters.budget,
    )


# One text parameter however many rows, as domain/jobs/submission.py has it. A ballot is
# text in it: a blank one is JSON's null, which would be none at all.
_PARTICIPATIONS: Final = sa.text("""
    INSERT INTO participations (proposal_id, voter_id)
    SELECT * FROM json_to_recordset(CAST(:rows AS json))
        AS r(proposal_id uuid, voter_id uuid)
""")
_BALLOTS: Final = sa.text("""
    INSERT INTO ballots (proposal_id, voter_id, sequence, ballot, rationale, cast_at,
                         job_id)
    SELECT proposal_id, voter_id, sequence, CAST(ballot AS jsonb), rationale, cast_at,
           job_id
    FROM json_to_recordset(CAST(:rows AS json)) AS r(
        proposal_id uuid, voter_id uuid, sequence integer, ballot text,
        rationale text, cast_at timestamptz, job_id uuid)
""")
_SECRET_BALLOTS: Final = sa.text("""
    INSERT INTO secret_ballots (proposal_id, key, ballot)
    SELECT proposal_id, key, CAST(ballot AS jsonb)
    FROM json_to_recordset(CAST(:rows AS json))
        AS r(proposal_id uuid, key uuid, ballot text)
""")
_RECEIPTS: Final = sa.text("""
    INSERT INTO ballot_receipts (proposal_id, receipt)
    SELECT * FROM json_to_recordset(CAST(:rows AS json))
        AS r(proposal_id uuid, receipt text)
""")


def _store(session: Session, boxes: Mapping[UUID, Box]) -> None:
    """Store what was put into the boxes; nothing secret in the order it came."""
    voted, secret, receipts, ballots = [], [], [], []
    for proposal_id, box in boxes.items():
        of = {"proposal_id": proposal_id.hex}
        voted += [{**of, "voter_id": one.hex} for one in sorted(box.participations)]
        by_key = sorted(box.secret_ballots, key=itemgetter("key"))
        secret += [{**of, **one} for one in by_key]
        receipts += [{**of, "receipt": one} for one in sorted(box.receipts)]
        ballots += [{**of, **one} for one in box.ballots]
        box.case.row.turnout += len(box.participations)
    session.flush()
    for statement, rows in (
        (_PARTICIPATIONS, voted),
        (_BALLOTS, ballots),
        (_SECRET_BALLOTS, secret),
        (_RECEIPTS, receipts),
    ):
        if rows:
            session.execute(statement, {"rows": json.dumps(rows)})


# What trigger jobs_payload lets be forgotten, and no more (migration 0008).
_FORGET: Final = sa.text("""
    UPDATE jobs SET payload = json_build_object('proposal_id', payload->>'proposal_id')
    WHERE id = ANY(CAST(:ids AS uuid[]))
""")


def _forget_choices(session: Session, claims: Sequence[Claim]) -> None:
    """Leave of the jobs of secret ballots for which vote they were, and no more."""
    sealed = [str(claim.id) for claim in claims if claim.kind == CAST_SECRET]
    if sealed:
        session.execute(_FORGET, {"ids": "{" + ",".join(sealed) + "}"})
