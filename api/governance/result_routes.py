"""The routes of what votes came to."""

from typing import Any

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api.governance.counts import Counts
from api.governance.results import Explanation, Package, Result
from api.submissions import Submissions
from domain.settings import Settings


def add_routes(
    app: falcon.App[Any, Any],
    settings: Settings,
    sessions: sessionmaker[Session],
    submissions: Submissions,
) -> None:
    """Serve what votes came to."""
    one = "/api/governance/proposals/{proposal_id:uuid}"
    lanes = settings.ledger_lanes
    app.add_route(f"{one}/result", Result(sessions))
    app.add_route(f"{one}/explain", Explanation(sessions))
    app.add_route(f"{one}/package", Package(sessions))
    app.add_route(f"{one}/counts", Counts(sessions, submissions, lanes=lanes))
