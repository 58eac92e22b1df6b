"""Doorbells are delivered twice."""

import threading

from celery import Celery

import celeryconfig
from bench.faults.attack import Attack, Impossible
from domain.settings import Settings

_QUEUE = "ledger"
_EVERY_SECONDS = 0.005


def doubled(attack: Attack) -> None:
    """Send the doorbell of every lane again for each write accepted."""
    if attack.grounds.broker is None:
        raise Impossible("there is no broker to ring through")
    stop = threading.Event()
    rung: list[int] = []
    thread = threading.Thread(target=_ring, args=(attack, stop, rung), daemon=True)
    with attack.fault():
        thread.start()
        attack.pause(attack.times(10, 3))
        stop.set()
        thread.join(10)
    with attack.recovering():
        pass
    attack.notes.append(f"{len(rung)} doorbells more")


def _ring(attack: Attack, stop: threading.Event, rung: list[int]) -> None:
    app = Celery("faults", broker=attack.grounds.broker)
    app.conf.task_queues = celeryconfig.task_queues
    app.conf.broker_transport_options = celeryconfig.PUBLISHER_TRANSPORT
    app.conf.result_backend = None
    seen = len(attack.load.accepted)
    while not stop.wait(_EVERY_SECONDS):
        accepted = len(attack.load.accepted)
        for _ in range(accepted - seen):
            for lane in range(Settings.ledger_lanes):
                app.send_task(
                    f"{_QUEUE}.drain",
                    args=[lane],
                    queue=_QUEUE,
                    # Its consumer has declared it, as its kind of broker wants.
                    declare=[],
                    retry=False,
                    ignore_result=True,
                )
                rung.append(lane)
        seen = accepted
    app.close()
