"""How gunicorn serves the node: the lower-case names below are its settings.

    gunicorn --config python:api.observer.server "api.observer.server:application()"

As `api/server.py` does, with one process and fewer connections: who only looks may be
kept waiting before the ledger is.
"""

import gc
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from api.server_log import Log

if TYPE_CHECKING:
    from api.connection import Wsgi

_PORT: Final = 8080
# A database that is frozen, and not gone, answers nothing at all.
_DATABASE_SECONDS: Final = 2.5

bind = (
    f"{os.environ.get('HOST') or '127.0.0.1'}:"
    f"{int(os.environ.get('OBSERVABILITY_PORT') or 0) or _PORT}"
)
worker_class = "api.worker.Worker"
workers = 1
worker_connections = 500
timeout = 30
graceful_timeout = 10
# It would be a file in the home directory, shared by every gunicorn of the account.
control_socket_disable = True
logger_class = Log


def on_starting(_server: Any) -> None:
    """Import the node once, for the process that serves it and any that follows."""
    from gevent import monkey  # noqa: PLC0415

    # As in the process itself, and before anything else is imported.
    monkey.patch_all()

    import api.observer.app  # noqa: F401, PLC0415

    gc.freeze()


def application() -> "Wsgi":
    """Return the node as gunicorn's gevent worker runs it."""
    # Not above: this file is read before the standard library is patched.
    from psycopg2 import extensions  # noqa: PLC0415

    from api.observer.app import create_observer  # noqa: PLC0415
    from api.observer.kept import Kept  # noqa: PLC0415
    from api.worker import wait  # noqa: PLC0415

    extensions.set_wait_callback(partial(wait, seconds=_DATABASE_SECONDS))
    return Kept(create_observer())
