"""Actions as a controller records them, every five seconds."""

from datetime import timedelta

from controller.policy import VERSION, decide
from domain import scaling
from domain.scaling import ControllerAction
from tests.controller.load import view
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


def decided(worker_group):
    """Return the record of what the policy decides, with all it was told."""
    seen = view()
    decision = decide(seen)
    newest = seen.ticks[-1]._asdict()
    host = {"cpu": 41.7, "load": 1.25, "memory": 63.2, "memory_available": 3**20}
    return make_action(
        worker_group,
        current=decision.current,
        desired=decision.desired,
        need=decision.need,
        needs=dict(decision.needs),
        clamps=list(decision.clamps),
        reason=decision.reason,
        inputs={
            "tick": newest,
            "host": {**host, "swap": 0.0, "disk": 71.3, "workers": 2},
            "ceilings": {"memory": 9, "connections": 24, "lanes": 4},
            "service_seconds": 0.0173,
            "crew": {"alive": 2, "busy": 1},
            "database": {"connections": 17, "connections_max": 97, "commit_ms": 1.43},
        },
        controller="a-host-with-a-long-name-7f9c4:123456",
    )
