"""Content on the wire: publishing costs credits, reading is counted."""

from typing import Any
from uuid import UUID

import falcon
import orjson
from sqlalchemy.orm import Session, sessionmaker

from api import media
from api.bodies import AccessBody, ContentBody
from api.cache import Cache
from api.ledger import Writes
from api.openapi.describing import describes_item, describes_write
from api.permissions import principal_of
from api.shapes.ledger import Content, Published, Written
from api.signatures import REFUSES_UNSIGNED
from domain import content


def add_routes(
    app: falcon.App[Any, Any],
    writes: Writes,
    sessions: sessionmaker[Session],
    cache: Cache,
) -> None:
    """Serve content to the application that has it."""
    app.add_route("/content", Contents(writes))
    app.add_route("/content/{content_id:uuid}", ContentItem(sessions, cache))
    app.add_route("/content/{content_id:uuid}/access", Accesses(writes))


class Contents:
    """POST /content."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._schema = ContentBody()

    @describes_write(
        ContentBody,
        Published,
        refuses=["wrong_application", "insufficient_credits", *REFUSES_UNSIGNED],
    )
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

    def __init__(self, sessions: sessionmaker[Session], cache: Cache) -> None:
        self._sessions = sessions
        self._cache = cache

    @describes_item(Content, refuses=["wrong_application", "no_such_content"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, content_id: UUID
    ) -> None:
        """Show one piece of content."""
        application = principal_of(req).application
        body = self._cache.content(
            application, content_id, lambda: self._load(application, content_id)
        )
        media.show_body(req, resp, body)

    def _load(self, application: str, content_id: UUID) -> bytes:
        with self._sessions() as session:
            found = content.find(session, content_id, application=application)
        return orjson.dumps(found.describe())


class Accesses:
    """POST /content/{content_id}/access."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._schema = AccessBody()

    @describes_write(
        AccessBody, Written, refuses=["wrong_application", "no_such_content"]
    )
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
