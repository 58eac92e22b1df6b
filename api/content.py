"""Content on the wire: publishing costs credits, reading is counted."""

from typing import Final
from uuid import UUID

import falcon
import orjson
from sqlalchemy.orm import Session, sessionmaker

from api import media
from api.bodies import AccessBody, ContentBody
from api.cache import Cache
from api.errors import Problem
from api.ledger import Writes
from api.permissions import principal_of
from domain import content

APPLICATION: Final = "content"


def _require_application(req: falcon.Request) -> None:
    if principal_of(req).application != APPLICATION:
        raise Problem(
            403, "wrong_application", f"This needs a key of application {APPLICATION}."
        )


class Contents:
    """POST /content."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._schema = ContentBody()

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Accept new content, paid for by its owner."""
        _require_application(req)
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

    def __init__(self, sessions: sessionmaker[Session], cache: Cache) -> None:
        self._sessions = sessions
        self._cache = cache

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, content_id: UUID
    ) -> None:
        """Show one piece of content."""
        _require_application(req)
        body = self._cache.content(
            APPLICATION, content_id, lambda: self._load(content_id)
        )
        media.show_body(req, resp, body)

    def _load(self, content_id: UUID) -> bytes:
        with self._sessions() as session:
            found = content.find(session, content_id, application=APPLICATION)
        return orjson.dumps(found.describe())


class Accesses:
    """POST /content/{content_id}/access."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._schema = AccessBody()

    def on_post(
        self, req: falcon.Request, resp: falcon.Response, content_id: UUID
    ) -> None:
        """Accept that an owner has read a piece of content."""
        _require_application(req)
        body = media.load(self._schema, media.read_json(req))
        self._writes.accept(
            req,
            resp,
            kind=content.ACCESS_CONTENT,
            owner=body["owner_id"],
            takes=False,
            payload={**body, "content_id": str(content_id)},
        )
