"""Workers without a broker: the same drain, told by the database where work is."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain import jobs
from tasks._drain import drain, sessions
from tasks._periodic import submit_due
from tasks._registry import woken

_log = structlog.get_logger()

_IDLE_SECONDS: Final = 0.05
_AWAY_SECONDS: Final = 1.0
# What is not jobs is looked for by threads of its own: it may be slow, and while one
# waits for what it began, another begins what is new.
_OTHERS: Final = 4
_OTHERS_IDLE_SECONDS: Final = 0.5


def poll(stop: threading.Event) -> None:
    """Drain whatever is due until told to stop."""
    others = [
        threading.Thread(target=_repeat, args=(work, stop))
        for work in woken.values()
        for _ in range(_OTHERS)
    ]
    for other in others:
        other.start()
    try:
        _poll_jobs(stop)
    finally:
        stop.set()
        for other in others:
            other.join()


def _repeat(work: Callable[[], None], stop: threading.Event) -> None:
    while not stop.wait(_OTHERS_IDLE_SECONDS):
        work()


def _poll_jobs(stop: threading.Event) -> None:
    slots: dict[str, int] = {}
    while not stop.is_set():
        try:
            submit_due(slots)
            with sessions().begin() as session:
                lanes = jobs.due_lanes(session, now=datetime.now(UTC))
            for queue, lane in lanes:
                drain(queue, lane)
        except SQLAlchemyError as error:
            _log.warning("database_away", error=repr(error))
            stop.wait(_AWAY_SECONDS)
        else:
            # Even when lanes are due: they may be another worker's to drain.
            stop.wait(_IDLE_SECONDS)
