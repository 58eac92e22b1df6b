"""How many workers a load needs: Little's law, and Erlang's formula for waiting."""

import math


def waiting_share(workers: int, load: float) -> float:
    """Return the share of jobs that find every worker busy (Erlang C, 1917).

    `load` is arrivals a second times seconds a job, and less than `workers`. By the
    recursion of Erlang B, which neither overflows nor cancels.
    """
    blocked = 1.0
    for count in range(1, workers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked / (1 - load / workers * (1 - blocked))


def workers_for(
    rate: float, service: float, *, wait: float, share: float, most: int
) -> int:
    """Return the fewest workers with which at most `share` wait longer than `wait`.

    `rate` jobs a second of `service` seconds each; `most` when no fewer do.
    """
    load = rate * service
    if load <= 0:
        return 0
    for workers in range(math.floor(load) + 1, most):
        late = math.exp(-(workers - load) * wait / service)
        if waiting_share(workers, load) * late <= share:
            return workers
    return most
