"""The routes of voting."""

from typing import Any

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api.governance.ballots import Ballots, Conflicts, OwnBallots
from api.governance.delegations import DelegationItem, Delegations
from api.signatures import Signatures
from api.submissions import Submissions
from domain.settings import Settings


def add_routes(
    app: falcon.App[Any, Any],
    settings: Settings,
    sessions: sessionmaker[Session],
    submissions: Submissions,
    signatures: Signatures,
) -> None:
    """Serve ballots, delegations and conflicts of interest."""
    one = "/api/governance/proposals/{proposal_id:uuid}"
    delegations = "/api/governance/delegations"
    app.add_route(
        f"{one}/ballots", Ballots(sessions, submissions, settings, signatures)
    )
    app.add_route(f"{one}/ballots/mine", OwnBallots(sessions))
    app.add_route(f"{one}/conflicts", Conflicts(sessions))
    app.add_route(delegations, Delegations(sessions))
    item = DelegationItem(sessions)
    app.add_route(f"{delegations}/{{delegation_id:uuid}}", item)
