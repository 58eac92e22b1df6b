"""Contests: an election as its tally and its freeze left it."""

import json
from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.councils.capping import Contest
from domain.governance.record import Freeze, ProposalSeed
from domain.governance.voting_record import Tally
from domain.tally import Election, regroup
from domain.users import User


def load(session: Session, election_id: UUID) -> Contest:
    """Return an election that was counted."""
    binding = Tally.proposal_id == election_id, ~Tally.advisory
    tally = session.scalars(sa.select(Tally).where(*binding)).one()
    freeze = session.get_one(Freeze, election_id)
    seed = session.get_one(ProposalSeed, election_id).seed
    election = Election.read(json.loads(tally.result)["election"])
    definition = json.loads(freeze.definition)
    return Contest(
        election=election,
        ballots=regroup(election, tally.groups),
        seed=seed,
        affiliations=definition.get("affiliations") or {},
        cap=definition.get("affiliation_cap"),
    )


def people(session: Session, usernames: Collection[str]) -> dict[str, User]:
    """Return those who stood, by their names; who has left is not among them."""
    found = session.scalars(
        sa.select(User).where(User.username.in_(usernames), User.deleted_at.is_(None))
    )
    return {user.username: user for user in found}
