"""How many workers a load needs: Little's law, and Erlang's formula for waiting."""

import math
from collections.abc import Iterator
from itertools import count, islice


def waiting_share(workers: int, load: float) -> float:
    """Return the share of jobs that find every worker busy (Erlang C, 1917).

    `load` is arrivals a second times seconds a job, and less than `workers`.
    """
    *_, blocked = islice(_blocked(load), workers)
    return _waiting(blocked, workers, load)


def workers_for(
    rate: float, service: float, *, wait: float, share: float, most: int
) -> int:
    """Return the fewest workers with which at most `share` wait longer than `wait`.

    `rate` jobs a second of `service` seconds each; `most` when no fewer do.
    """
    load = rate * service
    if load <= 0:
        return 0
    if load >= most:
        return most
    for workers, blocked in enumerate(islice(_blocked(load), most - 1), start=1):
        if workers > load:
            late = math.exp(-(workers - load) * wait / service)
            if _waiting(blocked, workers, load) * late <= share:
                return workers
    return most


def _blocked(load: float) -> Iterator[float]:
    """Return for one worker more each time the share that one without a queue refuses.

    Erlang B by its recursion, which neither overflows nor cancels.
    """
    blocked = 1.0
    for workers in count(1):
        blocked = load * blocked / (workers + load * blocked)
        yield blocked


def _waiting(blocked: float, workers: int, load: float) -> float:
    return blocked / (1 - load / workers * (1 - blocked))
