"""Doorbells are delivered twice."""

import threading

from bench.faults.attack import Attack, Impossible
from bench.publisher import Publisher
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
    publisher = Publisher(attack.grounds.broker or "")
    seen = len(attack.load.accepted)
    while not stop.wait(_EVERY_SECONDS):
        accepted = len(attack.load.accepted)
        for _ in range(accepted - seen):
            for lane in range(Settings.ledger_lanes):
                publisher.ring(_QUEUE, lane)
                rung.append(lane)
        seen = accepted
    publisher.close()
