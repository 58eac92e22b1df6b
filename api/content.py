"""Content on the wire: publishing costs credits, reading is counted."""

from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media
from api.bodies import AccessBody, ContentBody
from api.ledger import Writes
from api.permissions import principal_of
from domain import content


class Contents:
    """POST /content."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._schema = ContentBody()

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Accept new content, paid for by its owner."""
        body = media.load(self._schema, media.read_json(req))
        self._writes.accept(
            req,
            resp,
            kind=content.CREATE_CONTENT,
            owner=body["owner_id"],
            takes=True,
            payload=body,
        )


class ContentItem:
    """GET /content/{content_id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, content_id: UUID
    ) -> None:
        """Show one piece of content."""
        application = principal_of(req).application
        with self._sessions() as session:
            found = content.find(session, content_id, application=application)
        media.show(req, resp, found.describe())


class Accesses:
    """POST /content/{content_id}/access."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._schema = AccessBody()

    def on_post(
        self, req: falcon.Request, resp: falcon.Response, content_id: UUID
    ) -> None:
        """Accept that an owner has read a piece of content."""
        body = media.load(self._schema, media.read_json(req))
        self._writes.accept(
            req,
            resp,
            kind=content.ACCESS_CONTENT,
            owner=body["owner_id"],
            takes=False,
            payload={**body, "content_id": str(content_id)},
        )
