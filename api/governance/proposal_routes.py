"""The routes of proposals and their types."""

from typing import Any

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api.governance.changes import Adoption, Cancel, Open, Outcome, Veto
from api.governance.proposals import ProposalItem, Proposals, Versions
from api.governance.types import ProposalTypeItem, ProposalTypes
from api.signatures import Signatures


def add_routes(
    app: falcon.App[Any, Any], sessions: sessionmaker[Session], signatures: Signatures
) -> None:
    """Serve proposals and their types."""
    proposals = "/api/governance/proposals"
    one = f"{proposals}/{{proposal_id:uuid}}"
    app.add_route(proposals, Proposals(sessions, signatures))
    app.add_route(one, ProposalItem(sessions, signatures))
    app.add_route(f"{one}/versions", Versions(sessions))
    app.add_route(f"{one}/open", Open(sessions, signatures))
    app.add_route(f"{one}/adoption", Adoption(sessions, signatures))
    app.add_route(f"{one}/cancel", Cancel(sessions))
    app.add_route(f"{one}/veto", Veto(sessions))
    app.add_route(f"{one}/outcome", Outcome(sessions))
    types = "/api/governance/proposal-types"
    app.add_route(types, ProposalTypes(sessions))
    app.add_route(f"{types}/{{type_name}}", ProposalTypeItem(sessions))
