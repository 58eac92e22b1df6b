"""Workers without a broker: the same drain, told by the database where work is."""

import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from celeryconfig import QUEUES
from domain import jobs
from tasks import _exposition
from tasks._beats import beating
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


def poll(
    stop: threading.Event, queues: Sequence[str] = QUEUES, *, at_once: int = 1
) -> None:
    """Drain what is due in these queues, so many lanes at once, until told to stop."""
    _exposition.begin()
    _exposition.serve()
    loops = [partial(_poll_jobs, stop, queues, {})] * at_once
    for queue in woken.keys() & set(queues):
        loops += [partial(_repeat, woken[queue], stop)] * _OTHERS
    name = f"poll-{secrets.token_hex(4)}@{socket.gethostname()}"
    # None in the main thread: a signal's handler that tells us to stop would there
    # interrupt a wait for that very word.
    with (
        beating(name, queues=queues, slots=at_once),
        ThreadPoolExecutor(len(loops), thread_name_prefix="poll") as pool,
    ):
        running = [pool.submit(loop) for loop in loops]
        wait(running, return_when=FIRST_COMPLETED)
        stop.set()
        for one in running:
            one.result()


def _repeat(work: Callable[[], None], stop: threading.Event) -> None:
    while not stop.wait(_OTHERS_IDLE_SECONDS):
        work()


def _poll_jobs(
    stop: threading.Event, queues: Sequence[str], slots: dict[str, int]
) -> None:
    while not stop.is_set():
        try:
            submit_due(slots)
            with sessions().begin() as session:
                lanes = jobs.due_lanes(session, now=datetime.now(UTC))
            for queue, lane in lanes:
                if queue in queues:
                    drain(queue, lane)
        except SQLAlchemyError as error:
            _log.warning("database_away", error=repr(error))
            stop.wait(_AWAY_SECONDS)
        else:
            # Even when lanes are due: they may be another worker's to drain.
            stop.wait(_IDLE_SECONDS)
