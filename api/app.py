"""The composition root: collaborators, middleware, routes, on one screen."""

import os
from functools import partial
from typing import Any

import falcon
import orjson
from falcon.media import JSONHandler
from sqlalchemy.exc import TimeoutError as PoolTimeout

import tasks
from api import (
    audit,
    blocks,
    bounties,
    content,
    councils,
    errors,
    governance,
    jobs,
    keys,
    ledger,
    people,
    status,
    wallets,
    webhooks,
)
from api.addresses import Addresses
from api.authentication import ApiKeys
from api.blocklist import Blocklist
from api.cache import Cache
from api.cors import Cors
from api.figures import on_pool_timeout, watch_pool
from api.guesses import Guesses
from api.intake import Doorbell, Intake
from api.limits import Limits
from api.metrics import Metrics
from api.middleware import Principals, RequestIdentity
from api.openapi import pages
from api.router import Router
from api.security import SecurityHeaders
from api.shared import Shared
from api.signatures import Signatures
from api.submissions import Submissions
from api.tokens import AccessTokens
from api.waiters import Waiters
from domain.db import create_engine, create_store_engine, session_factory
from domain.settings import Settings


def start() -> None:
    """Set up logs and refuse to serve a database this code does not go with."""
    tasks.start(gather_logs=True)


def create_app(
    settings: Settings | None = None, router: Router | None = None
) -> falcon.App[Any, Any]:
    """Return the API over the settings' database and broker; connects to neither."""
    settings = settings or Settings.from_environ(os.environ)
    router = router or Router()
    engine = create_engine(settings)
    watch_pool(engine, settings.database_pool_size)
    sessions = session_factory(engine)
    doorbell = Doorbell(tasks.ring)
    store = session_factory(create_store_engine(settings))
    intake = Intake(store, doorbell, settings.intake_limit)
    waiters = Waiters(engine, sessions)
    deadline = settings.deadline_seconds
    cache = Cache(settings.redis_url, settings.cache_seconds)
    submissions = Submissions(
        intake, waiters, sessions, cache.tell, deadline_seconds=deadline
    )
    signatures = Signatures(sessions)
    writes = ledger.Writes(submissions, signatures, lanes=settings.ledger_lanes)
    broker = partial(
        status.describe_broker, tasks.ping, configured=bool(settings.broker_url)
    )
    tokens = AccessTokens(
        sessions, issuer=settings.token_issuer, secret=settings.token_secret
    )
    addresses = Addresses(settings.trusted_proxies)
    blocklist = Blocklist(sessions)
    shared = Shared(settings.redis_url)
    app: falcon.App[Any, Any] = falcon.App(
        middleware=[
            RequestIdentity(),
            SecurityHeaders(addresses),
            *([Cors(settings.cors_origins)] if settings.cors_origins else []),
            Principals(ApiKeys(sessions), tokens),
            Limits(settings, addresses, blocklist, shared),
        ],
        router=router,
    )
    app.req_options.strip_url_path_trailing_slash = True
    app.resp_options.media_handlers[falcon.MEDIA_JSON] = JSONHandler(dumps=orjson.dumps)
    errors.install(app)
    app.add_error_handler(PoolTimeout, on_pool_timeout)
    app.add_route("/health", status.Health())
    app.add_route("/status/ready", status.Ready(sessions, broker))
    app.add_route("/metrics", Metrics(sessions))
    jobs.add_routes(
        app, sessions, waiters, doorbell, cache.tell, deadline_seconds=deadline
    )
    ledger.add_routes(app, writes, sessions, cache)
    people.add_routes(
        app,
        settings,
        sessions,
        tokens=tokens,
        intake=intake,
        watch=Guesses(shared),
    )
    content.add_routes(app, writes, sessions, cache)
    audit.add_routes(app, sessions)
    keys.add_routes(app, sessions)
    wallets.add_routes(app, sessions, signatures)
    blocks.add_routes(app, sessions, blocklist)
    governance.add_routes(app, settings, sessions, submissions, signatures)
    webhooks.add_routes(app, settings, sessions, partial(doorbell, *tasks.WEBHOOKS))
    councils.add_routes(app, sessions)
    bounties.add_routes(app, writes, sessions)
    pages.add_routes(app, router)
    return app
