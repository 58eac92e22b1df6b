"""One Celery task a write: the message is the job, the worker one transaction each."""

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import falcon
from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from api import errors, media
from api.authentication import ApiKeys
from api.bodies import OperationBody
from api.middleware import Principals, RequestIdentity
from api.permissions import principal_of
from bench.designs.synchronous import write
from domain.db import create_engine, session_factory
from domain.errors import DomainError
from domain.ids import uuid7
from domain.ledger.postings import Origin
from domain.settings import Settings

celery = Celery("task_per_write", broker=os.environ.get("REDIS_URL"))
celery.conf.task_ignore_result = True
celery.conf.task_acks_late = True
celery.conf.task_default_queue = "task_per_write"


@cache
def sessions() -> sessionmaker[Session]:
    """Return the process's sessions."""
    return session_factory(create_engine(Settings.from_environ(os.environ)))


@celery.task
def apply(origin: dict[str, Any], body: dict[str, Any]) -> None:
    """Apply one write."""
    made = Origin(
        application=origin["application"],
        principal=UUID(origin["principal"]),
        job_id=UUID(origin["job_id"]),
        lane=0,
        accepted_at=datetime.now(UTC),
    )
    try:
        with sessions().begin() as session:
            write(session, made, body)
    except DomainError:
        return


class Writes:
    """POST /ledger."""

    def __init__(self) -> None:
        self._schema = OperationBody()

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Send the task and answer 202."""
        principal = principal_of(req)
        body = media.load(self._schema, media.read_json(req))
        job_id = str(uuid7())
        origin = {
            "application": principal.application,
            "principal": str(principal.id),
            "job_id": job_id,
        }
        apply.delay(origin, body)
        resp.status = falcon.HTTP_202
        resp.media = {"id": job_id, "state": "queued"}


def application() -> falcon.App:
    """Return the API that sends a task for each write."""
    app = falcon.App(middleware=[RequestIdentity(), Principals(ApiKeys(sessions()))])
    errors.install(app)
    app.add_route("/ledger", Writes())
    return app
