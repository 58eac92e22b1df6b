"""The composition root: collaborators, middleware, routes, on one screen."""

import os
from functools import partial
from typing import Any

import falcon
import orjson
from falcon.media import JSONHandler
from falcon.responders import create_default_options
from falcon.routing import CompiledRouter

import tasks
from api import content, errors, jobs, ledger, problems, status
from api.authentication import ApiKeys
from api.intake import Doorbell, Intake
from api.metrics import Metrics
from api.middleware import Principals, RequestIdentity
from api.submissions import Submissions
from api.waiters import Waiters
from domain.db import create_engine, session_factory
from domain.settings import Settings


class _Methods(dict[str, Any]):
    """A route's responders; a method nobody knows is one it does not have: 405."""

    def __missing__(self, _method: str) -> Any:
        return self["CONNECT"]


class _Router(CompiledRouter):
    """Answers HEAD wherever there is GET, and OPTIONS everywhere."""

    def map_http_methods(self, resource: object, **kwargs: Any) -> Any:
        methods = _Methods(super().map_http_methods(resource, **kwargs))
        if "GET" in methods:
            methods.setdefault("HEAD", methods["GET"])
        # Falcon's own leaves itself out of what it says is allowed.
        allowed = sorted([*methods, "OPTIONS"])
        methods.setdefault("OPTIONS", create_default_options(allowed))
        return methods


def start() -> None:
    """Set up logs and refuse to serve a database whose operations differ."""
    tasks.start()


def create_app(settings: Settings | None = None) -> falcon.App[Any, Any]:
    """Return the API over the settings' database and broker; connects to neither."""
    settings = settings or Settings.from_environ(os.environ)
    engine = create_engine(settings)
    sessions = session_factory(engine)
    doorbell = Doorbell(tasks.ring)
    # A connection of its own: however many read, writes are stored.
    store = session_factory(create_engine(settings, pool_size=1))
    intake = Intake(store, doorbell, settings.intake_limit)
    waiters = Waiters(engine, sessions)
    deadline = settings.deadline_seconds
    submissions = Submissions(intake, waiters, sessions, deadline_seconds=deadline)
    writes = ledger.Writes(submissions, lanes=settings.ledger_lanes)
    broker = partial(
        status.describe_broker, tasks.ping, configured=bool(settings.broker_url)
    )

    app: falcon.App[Any, Any] = falcon.App(
        middleware=[RequestIdentity(), Principals(ApiKeys(sessions))],
        router=_Router(),
    )
    app.req_options.strip_url_path_trailing_slash = True
    app.resp_options.media_handlers[falcon.MEDIA_JSON] = JSONHandler(dumps=orjson.dumps)
    errors.install(app)
    app.add_route("/health", status.Health())
    app.add_route("/status/ready", status.Ready(sessions, broker))
    app.add_route("/metrics", Metrics(sessions))
    app.add_route("/problems/{code}", problems.ProblemPages())
    app.add_route("/jobs", jobs.Jobs(sessions))
    app.add_route("/jobs/{job_id:uuid}", jobs.JobItem(sessions, waiters))
    app.add_route("/jobs/{job_id:uuid}/events", jobs.JobEvents(sessions, waiters))
    app.add_route(
        "/jobs/{job_id:uuid}/retry",
        jobs.JobRetry(sessions, doorbell, deadline_seconds=deadline),
    )
    app.add_route("/ledger", ledger.Operations(writes))
    app.add_route("/ledger/operations", ledger.OperationList())
    app.add_route("/ledger/batches", ledger.Batches(writes))
    app.add_route("/ledger/trial-balance", ledger.TrialBalances(sessions))
    app.add_route("/ledger/transfers", ledger.Transfers(writes))
    app.add_route("/ledger/transfers/{transfer_id:uuid}", ledger.TransferItem(sessions))
    app.add_route(
        "/ledger/transfers/{transfer_id:uuid}/reversal",
        ledger.Reversals(writes, sessions),
    )
    app.add_route("/ledger/{owner_id}", ledger.Balances(sessions))
    app.add_route("/ledger/{owner_id}/entries", ledger.Entries(sessions))
    app.add_route("/balance/{owner_id}", ledger.Balances(sessions))
    app.add_route("/content", content.Contents(writes))
    app.add_route("/content/{content_id:uuid}", content.ContentItem(sessions))
    app.add_route("/content/{content_id:uuid}/access", content.Accesses(writes))
    return app
