"""The workers' figures as Prometheus reads them: those of a host, on one port.

Processes keep their figures in files of one directory, which all workers of a host that
are given the same port share. One of them has the port and tells the figures of all.
"""

import atexit
import errno
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from tasks import _figures
from tasks._drain import settings
from tasks._registry import kinds
from tasks._shared_folder import SharedFolder

if TYPE_CHECKING:
    from tasks._figure_files import FigureFiles

_log = structlog.get_logger()

_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
_LOOPBACK: Final = "127.0.0.1"
# Should the worker that has the port end, another takes it this much later.
_LOOK_SECONDS: Final = 2.0


def begin() -> None:
    """Count here and in what this process forks, where a port is set for that."""
    port = settings().metrics_port_workers
    if not port or _figures.wanted():
        return
    try:
        _make_folder(port)
    except OSError as error:
        # A worker without figures works.
        _log.error("figures_not_kept", error=repr(error))
    else:
        _count()


def _make_folder(port: int) -> None:
    if given := os.environ.get(_FOLDER):
        Path(given).mkdir(parents=True, exist_ok=True)
        return
    name = f"coin-workers-{os.getuid()}-{port}"
    folder = SharedFolder(Path(tempfile.gettempdir()) / name)
    atexit.register(folder.leave)
    os.environ[_FOLDER] = os.fspath(folder.path)


def _count() -> None:
    from prometheus_client import values  # noqa: PLC0415  only where it is wanted
    from prometheus_client.registry import CollectorRegistry  # noqa: PLC0415

    from tasks._series import Series  # noqa: PLC0415

    # Whether one process counts or many was decided when the library was imported, and
    # a plugin of Celery's own program may have done that before us.
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
    series = Series(CollectorRegistry())
    series.begin(kinds)
    _figures.use(series)


def serve() -> None:
    """Tell the figures of all as soon as nobody else does, in a thread."""
    if not _figures.wanted():
        return
    from tasks._figure_files import FigureFiles  # noqa: PLC0415  see above

    files = FigureFiles(Path(os.environ[_FOLDER]))
    port = settings().metrics_port_workers
    threading.Thread(target=_tell, args=(files, port), daemon=True).start()


def _tell(files: "FigureFiles", port: int) -> None:
    if not _take(files, port):
        return
    while True:
        try:
            files.fold()
        except OSError as error:
            _log.warning("figures_not_joined", error=repr(error))
        time.sleep(_LOOK_SECONDS)


def _take(files: "FigureFiles", port: int) -> bool:
    """Wait until the port is free and take it; say whether it can be had at all."""
    waiting = False
    while True:
        try:
            files.serve(port, os.environ.get("HOST") or _LOOPBACK)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                _log.error("figures_not_told", port=port, error=repr(error))
                return False
        else:
            _log.info("figures_told", port=port)
            return True
        if not waiting:
            _log.info("figures_told_by_another", port=port)
            waiting = True
        time.sleep(_LOOK_SECONDS)
