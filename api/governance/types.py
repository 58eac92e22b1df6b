"""Types of proposals on the wire: the rules that hold, and those that did."""

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media
from api.openapi.describing import describes_item
from api.shapes import governance as shapes
from domain.governance import types


class ProposalTypes:
    """GET /api/governance/proposal-types."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_item(shapes.ProposalTypes)
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show every type with its rules of now."""
        with self._sessions() as session:
            found = types.newest(session)
        media.show(req, resp, {"types": [rules.describe() for rules in found]})


class ProposalTypeItem:
    """GET /api/governance/proposal-types/{name}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_item(shapes.ProposalTypeVersions, refuses=["no_such_proposal_type"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, type_name: str
    ) -> None:
        """Show every version of a type's rules, newest first."""
        with self._sessions() as session:
            found = types.versions(session, type_name)
        media.show(req, resp, {"versions": [rules.describe() for rules in found]})
