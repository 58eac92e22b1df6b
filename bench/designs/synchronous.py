"""One request, one transaction: the domain called from the request itself."""

import os
from datetime import UTC, datetime

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import errors, media
from api.authentication import ApiKeys
from api.bodies import OperationBody
from api.middleware import Principals, RequestIdentity
from api.permissions import principal_of
from domain.db import create_engine, session_factory
from domain.errors import DomainError
from domain.ids import uuid7
from domain.ledger import Batch, operation_posting, post
from domain.ledger.postings import Origin
from domain.settings import Settings

THREADS = 32


def write(session: Session, origin: Origin, body: dict) -> dict:
    """Post one operation."""
    posting = operation_posting(
        origin,
        owner=body["owner_id"],
        operation=body["operation"],
        nonce=body["nonce"],
    )
    decision = post(session, [Batch([posting])], now=datetime.now(UTC))[0][0]
    if isinstance(decision, DomainError):
        raise decision
    return {"transfer": decision.transfer.describe(), "balance": decision.balance}


class Writes:
    """POST /ledger."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = OperationBody()

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Apply the write and answer 201."""
        principal = principal_of(req)
        body = media.load(self._schema, media.read_json(req))
        origin = Origin(
            application=principal.application,
            principal=principal.id,
            job_id=uuid7(),
            lane=0,
            accepted_at=datetime.now(UTC),
        )
        with self._sessions.begin() as session:
            resp.media = write(session, origin, body)
        resp.status = falcon.HTTP_201


def application() -> falcon.App:
    """Return the API that applies each write before it answers."""
    settings = Settings.from_environ({**os.environ, "DATABASE_POOL_SIZE": str(THREADS)})
    sessions = session_factory(create_engine(settings))
    app = falcon.App(middleware=[RequestIdentity(), Principals(ApiKeys(sessions))])
    errors.install(app)
    app.add_route("/ledger", Writes(sessions))
    return app
