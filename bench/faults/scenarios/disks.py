"""The disk under the database is full."""

import os

from bench.faults.attack import Attack
from bench.faults.waiting import until

_FELT_SECONDS = 30.0
_BLOCK = bytes(64 * 1024)


def full(attack: Attack) -> None:
    """Fill the disk to the last byte, then make room again."""
    ballast = attack.grounds.data / "postgres" / "ballast"
    unanswered = attack.load.unanswered
    with attack.fault():
        try:
            _fill(ballast)
            # Pages that are there already last a while.
            until(
                lambda: attack.load.unanswered > unanswered,
                _FELT_SECONDS,
                "a full disk",
            )
            attack.pause(attack.times(5, 2))
        finally:
            ballast.unlink(missing_ok=True)
    with attack.recovering():
        pass


def _fill(path: os.PathLike[str]) -> None:
    with open(path, "wb", buffering=0) as file:  # noqa: PTH123  unbuffered
        for block in (_BLOCK, _BLOCK[:4096]):
            try:
                while file.write(block) == len(block):
                    pass
            except OSError:
                continue
