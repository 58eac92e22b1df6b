"""The formulas of others that ours is set beside, as they publish them."""

import pytest

from bench.controllers import peers
from controller.tick import Tick


def ticks(count=60, **fields):
    """Return so many ticks with nothing in them but what is given."""
    nothing = dict.fromkeys(Tick._fields, 0.0)
    return [
        Tick(**{**nothing, "seconds": 5.0, **fields, "at": 5.0 * number})
        for number in range(1, count + 1)
    ]


def asked(policy, measured, size):
    return policy(measured, size, measured[-1].at)


@pytest.mark.parametrize(
    ("running", "size", "wanted"),
    [
        (8, 10, 10),  # as it should be
        (8.7, 10, 10),  # a ratio of 1.09 is tolerated
        (9, 10, 12),  # 1.125: ceil(10 * 1.125)
        (10, 10, 13),
        (4, 10, 10),  # down after five minutes only
    ],
)
def test_kubernetes_asks_for_the_ratio_of_use_to_target(running, size, wanted):
    policy = peers.Hpa()
    policy(ticks(running=8 * size / 10), size, 285.0)  # so many were right before

    assert asked(policy, ticks(running=running), size) == wanted


def test_kubernetes_goes_to_the_double_or_four_more_every_fifteen_seconds():
    policy = peers.KedaLists()
    flood = ticks(90, ready=500)

    assert [policy(flood, 3, 300.0), policy(flood, 7, 310.0)] == [7, 7]
    assert [policy(flood, 7, 315.0), policy(flood, 14, 330.0)] == [14, 28]


def test_kubernetes_goes_down_to_the_most_of_five_minutes():
    policy = peers.AirflowKeda()

    assert policy(ticks(ready=9, running=1), 10, 300.0) == 10
    assert policy(ticks(running=2), 10, 599.0) == 10
    assert policy(ticks(running=2), 10, 614.0) == 2


def test_keda_asks_for_one_for_five_in_the_list_and_sees_no_others():
    assert asked(peers.KedaLists(), ticks(ready=21, running=50), 4) == 4
    assert asked(peers.KedaLists(), ticks(ready=26, running=50), 4) == 6


def test_airflow_asks_for_one_for_each_that_waits_or_runs():
    assert asked(peers.AirflowKeda(), ticks(ready=3, running=4), 4) == 7


def test_notify_asks_for_the_most_done_in_a_minute_and_for_the_queue():
    """300 a minute and worker, 250 in the queue and worker."""
    measured = [*ticks(48, finished=100), *ticks(12, finished=25)]
    measured = [one._replace(at=5.0 * n) for n, one in enumerate(measured, start=1)]

    assert asked(peers.Notify(0.2), measured, 2) == 4
    queued = [*measured[:-1], measured[-1]._replace(ready=251)]
    assert asked(peers.Notify(0.2), queued, 2) == 6


def test_notify_goes_down_by_one_a_minute_and_not_soon_after_an_up():
    policy = peers.Notify(0.2)

    assert policy(ticks(finished=100), 2, 300.0) == 4
    sizes = [policy(ticks(finished=1), 4, at) for at in (595.0, 600.0, 655.0, 660.0)]
    assert sizes == [4, 3, 4, 3]
