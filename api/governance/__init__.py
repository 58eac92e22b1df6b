"""Governance on the wire."""

from typing import Any

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api.governance import proposal_routes, result_routes, voting_routes
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
    """Serve proposals, votes and what they came to."""
    proposal_routes.add_routes(app, sessions, signatures)
    voting_routes.add_routes(app, settings, sessions, submissions, signatures)
    result_routes.add_routes(app, settings, sessions, submissions)
