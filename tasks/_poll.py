"""Workers without a broker: the same drain, told by the database where work is."""

import threading
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain import jobs
from tasks._drain import drain, sessions
from tasks._periodic import submit_due

_log = structlog.get_logger()

_IDLE_SECONDS: Final = 0.05
_AWAY_SECONDS: Final = 1.0


def poll(stop: threading.Event) -> None:
    """Drain whatever is due until told to stop."""
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
