"""The composition root: five things to look at."""

import os
from typing import Any, Final

import falcon
import orjson
from falcon.media import JSONHandler
from sqlalchemy.exc import SQLAlchemyError

from api import errors
from api.observer.audit import AuditSummary
from api.observer.decisions import ControllerDecisions
from api.observer.governance import GovernanceState
from api.observer.manners import ReadOnly
from api.observer.settings import read_settings
from api.observer.state import Health, SystemState
from api.observer.visitors import Visitors
from api.router import Router
from domain.db import create_observer_engine
from domain.settings import Settings

# One of them is set wherever Kubernetes, or what is built on it, runs a process.
_KUBERNETES: Final = (
    *("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "K_SERVICE"),
)


def create_observer(settings: Settings | None = None) -> falcon.App[Any, Any]:
    """Return the node over the settings' database; it connects when first asked."""
    settings = settings or read_settings(os.environ)
    engine = create_observer_engine(settings)
    visitors = Visitors(engine, issuer=settings.token_issuer)
    kubernetes = any(os.environ.get(name) for name in _KUBERNETES)

    app: falcon.App[Any, Any] = falcon.App(middleware=[ReadOnly()], router=Router())
    app.req_options.strip_url_path_trailing_slash = True
    app.resp_options.media_handlers[falcon.MEDIA_JSON] = JSONHandler(dumps=orjson.dumps)
    errors.install(app)
    # A database that was not migrated, or does not let the role in, is none to us.
    app.add_error_handler(SQLAlchemyError, errors.on_database_away)
    app.add_route("/health", Health())
    app.add_route("/api/system_state", SystemState(engine, kubernetes=kubernetes))
    app.add_route("/api/controller_decisions", ControllerDecisions(engine))
    app.add_route("/api/governance_state", GovernanceState(engine))
    app.add_route("/api/audit_summary", AuditSummary(engine, visitors))
    return app
