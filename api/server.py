"""How gunicorn serves the API: the lower-case names below are its settings.

    gunicorn --config python:api.server "api.server:application()"

gunicorn reads them in its master process. That imports the API, once gevent has patched
the standard library, so that the processes it forks share what was imported.
"""

import gc
import os
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

from api.server_log import Log

if TYPE_CHECKING:
    from api.connection import Wsgi

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
# A gevent process holds hundreds of waiting requests at the price of one thread
# (docs/decisions/0005). Two, for one alone cannot use two cores, and should one die,
# the other answers (docs/decisions/0009).
worker_class = "api.worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
worker_connections = 2_000
timeout = 60
graceful_timeout = 30
# It would be a file in the home directory, shared by every gunicorn of the account.
control_socket_disable = True

# Where the processes keep their figures, so that each can tell those of all.
_figures: Final = mkdtemp(prefix="coin-figures-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _figures


def on_starting(_server: Any) -> None:
    """Import the API once, for all the processes that will serve it."""
    from gevent import monkey  # noqa: PLC0415

    # As in the processes themselves, and before anything else is imported.
    monkey.patch_all()

    import api.app  # noqa: F401, PLC0415

    # What is shared must not be written to, and looking for garbage writes to it all.
    gc.freeze()


def child_exit(_server: Any, worker: Any) -> None:
    """Forget what a process had in hand when it ended; what it counted stays."""
    from prometheus_client import multiprocess  # noqa: PLC0415  reads the variable

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Leave no figures behind."""
    rmtree(_figures, ignore_errors=True)


logger_class = Log

_GARBAGE: Final = (20_000, 50, 50)


def application() -> "Wsgi":
    """Return the API as gunicorn's gevent worker runs it."""
    # Not above: this file is read before the standard library is patched.
    from psycopg2 import extensions  # noqa: PLC0415

    from api.app import create_app, start  # noqa: PLC0415
    from api.worker import wait  # noqa: PLC0415

    extensions.set_wait_callback(wait)
    start()
    app = create_app()
    # What was imported never becomes garbage: looking through it again and again
    # took a tenth of every request.
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
    return app
