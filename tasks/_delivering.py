"""Many webhooks at once: chosen by one thread of a process, posted by many.

What is slow holds a thread of these, and nobody else. A worker that dies leaves
deliveries that are due again a minute later.
"""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain import webhooks
from domain.webhooks import Attempt, Chosen
from domain.workload import DELIVER
from tasks import _done, _doorbell
from tasks._busy import working
from tasks._done import Stopwatch
from tasks._drain import sessions, settings
from tasks._posting import post

_log = structlog.get_logger()

AT_ONCE: Final = 32
# After its turn a thread waits for what it sent while another chooses.
_TURN_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.25

_Underway = set[Future[Attempt]]

_choosing: Final = threading.Lock()
_wanted: Final = threading.Event()


def deliver() -> None:
    """Send what is due, unless another thread is at it: that one looks again."""
    try:
        _deliver()
    except SQLAlchemyError as error:
        # How it went could not be stored: what was sent will be sent again.
        _log.warning("deliveries_disturbed", error=repr(error))


def _deliver() -> None:
    _wanted.set()
    while _wanted.is_set() and _choosing.acquire(blocking=False):
        _wanted.clear()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
            try:
                late = _take_turn(pool)
            finally:
                _choosing.release()
            _wait_for(late)


def _take_turn(pool: ThreadPoolExecutor) -> _Underway:
    """Send what is due until nothing is; return what is under way after the turn."""
    stop = time.monotonic() + _TURN_SECONDS
    done: _Underway = set()
    underway: _Underway = set()
    while time.monotonic() < stop:
        now = datetime.now(UTC)
        with sessions().begin() as session:
            webhooks.record(session, [one.result() for one in done], now=now)
            room = AT_ONCE - len(underway)
            chosen = webhooks.choose(session, count=room, now=now)
        secret, loopback = settings().token_secret, settings().webhook_loopback == "on"
        underway |= {
            pool.submit(_send, one, secret=secret, loopback=loopback) for one in chosen
        }
        if not underway:
            return underway
        done, underway = wait(underway, _LOOK_SECONDS, FIRST_COMPLETED)
    _doorbell.ring(*_doorbell.WEBHOOKS)
    return done | underway


def _send(chosen: Chosen, *, secret: str, loopback: bool) -> Attempt:
    with working():
        watch = Stopwatch()
        attempt = post(chosen, secret=secret, loopback=loopback)
        _done.add(DELIVER, watch, failed=not attempt.succeeded)
    return attempt


def _wait_for(underway: _Underway) -> None:
    while underway:
        done, underway = wait(underway, return_when=FIRST_COMPLETED)
        with sessions().begin() as session:
            now = datetime.now(UTC)
            webhooks.record(session, [one.result() for one in done], now=now)
