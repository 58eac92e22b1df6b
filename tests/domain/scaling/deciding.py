"""Actions as a controller records them, every five seconds."""

from datetime import timedelta

from controller.policy import VERSION
from domain import scaling
from domain.scaling import ControllerAction
from tests.factories import NOW

TICK = timedelta(seconds=5)


def make_action(worker_group, *, at=NOW, **fields):
    """Return the record of a cycle in which nothing was to be done."""
    return ControllerAction(
        **{
            "at": at,
            "until": at,
            "worker_group": worker_group,
            "mode": "active",
            "policy": VERSION,
            "target": "local",
            "current": 2,
            "desired": 2,
            "need": 1.5,
            "needs": {"arrivals": 1.5},
            "clamps": [],
            "reason": "as it was",
            "inputs": {},
            "result": "nothing to do",
            "ms": 3.0,
            "controller": "here:1",
            **fields,
        }
    )


def record(session, worker_group, count=1, *, at=NOW, **fields):
    """Record so many cycles, the first of them then; return their ids."""
    actions = [
        make_action(worker_group, at=at + number * TICK, **fields)
        for number in range(count)
    ]
    scaling.record(session, actions)
    return [action.id for action in actions]
