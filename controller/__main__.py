"""`python -m controller`: the loop, with the only clock and the only wait."""

import os
import signal
import socket
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Final

import structlog

import celeryconfig
import logconfig
from controller import choosing, database
from controller.bounds import BadBounds
from controller.cycle import Cycle
from controller.figures import Figures
from controller.heartbeats import Heartbeats
from controller.host import HostReader
from controller.leadership import Leadership
from controller.sensing import Sensor
from controller.steering import Rules, Steering
from controller.targets import Unavailable
from controller.tick import TICK_SECONDS
from domain.db import session_factory
from domain.settings import InvalidSettings, Settings

_log = structlog.get_logger()

_LOOPBACK: Final = "127.0.0.1"


def main() -> None:
    """Steer until told to stop; the workers stay as they are."""
    try:
        settings = Settings.from_environ(os.environ)
        logconfig.configure(level=settings.log_level, style=settings.log_format)
        engine = database.connect(settings)
        sessions = session_factory(engine)
        heartbeats = Heartbeats(sessions, clock=lambda: datetime.now(UTC))
        target = choosing.target(settings, heartbeats)
        groups = choosing.groups(settings, start_seconds=target.start_seconds)
    except (InvalidSettings, BadBounds, Unavailable) as error:
        sys.exit(f"controller: {error}")
    decide, version = choosing.POLICIES[settings.controller_policy]
    rules = Rules(
        policy=decide,
        version=version,
        active=settings.controller_mode == "active",
        lanes=settings.ledger_lanes,
        controller=f"{socket.gethostname()}:{os.getpid()}",
    )
    leadership = Leadership(engine)
    cycle = Cycle(
        [Steering(crew, group, target, rules) for crew, group in groups],
        Sensor(choosing.broker(settings), HostReader(), celeryconfig.QUEUES),
        leadership,
        sessions,
    )
    _log.info("controller_started", target=target.name, mode=settings.controller_mode)
    figures = Figures()
    if port := settings.metrics_port_controller:
        figures.serve(port, os.environ.get("HOST") or _LOOPBACK)
    _turn_until_told(cycle, figures)
    figures.close()
    leadership.resign()
    target.close()
    engine.dispose()
    _log.info("controller_stopped")


def _turn_until_told(cycle: Cycle, figures: Figures) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    last: float | None = None
    while not stop.is_set():
        began = time.monotonic()
        elapsed = None if last is None else began - last
        last = began
        turn(cycle, figures, elapsed=elapsed)
        stop.wait(max(0.0, began + TICK_SECONDS - time.monotonic()))


def turn(cycle: Cycle, figures: Figures, *, elapsed: float | None) -> None:
    """Do one cycle, and tell of it; a bug in it must not end the steering."""
    began = time.monotonic()
    try:
        actions = cycle.turn(datetime.now(UTC), elapsed=elapsed)
        sensed = cycle.sensed
        figures.cycle(
            seconds=time.monotonic() - began,
            leads=cycle.leads,
            actions=actions,
            sample=sensed.sample if sensed else None,
            faults=sensed.faults if sensed else ["database"],
        )
    except Exception:  # noqa: BLE001  whatever it was
        # The next turn begins anew, and the sizes stay; old figures must not.
        _log.exception("turn_failed")
        figures.cycle(seconds=None, leads=cycle.leads, faults=["turn"])


if __name__ == "__main__":
    main()
