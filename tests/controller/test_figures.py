"""The controller tells what its last cycle found out, and nothing that is old."""

import socket
from contextlib import closing
from datetime import UTC, datetime
from urllib.request import urlopen

import pytest

from controller.__main__ import turn
from controller.figures import Figures
from domain.scaling import ControllerAction
from domain.workload import Crew, DatabaseLoad, HostLoad, QueueLoad, Sample

HOST = HostLoad(
    cpu=96.0,
    cores=2,
    load=1.5,
    memory=89.0,
    memory_available=1_000_000,
    swap=0.0,
    disk=90.5,
    worker_bytes=40_000_000,
)
SAMPLE = Sample(
    at=datetime.now(UTC),
    seconds=5.0,
    queues={
        "ledger": QueueLoad(ready=7, delayed=2, running=1, oldest=4.5, messages=1),
        "mail": QueueLoad(),
    },
    crews={"ledger": Crew(alive=3, busy=2)},
    database=DatabaseLoad(connections=20, connections_max=97, commit_ms=4.0),
    host=HOST,
)


def action(group="ledger", mode="active", **sizes):
    """Return the record of one group's cycle."""
    given = {"current": 2, "desired": 4, "need": 5.3, **sizes}
    return ControllerAction(worker_group=group, mode=mode, **given)


def asked(port):
    """Return what is told on a port."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()


@pytest.fixture
def figures():
    with closing(Figures()) as figures:
        yield figures


@pytest.fixture
def told(figures):
    """Return the value of a sample, None where there is none."""

    def told(name, **labels):
        return figures._registry.get_sample_value(name, labels)

    return told


@pytest.fixture
def cycle(figures):
    def cycle(**given):
        figures.cycle(**{"seconds": 0.02, "leads": True, **given})

    return cycle


def sizes(told, group="ledger"):
    states = ("needed", "desired", "current", "ready")
    return [
        told("coin_controller_workers", group=group, state=state) for state in states
    ]


def test_sizes_are_told_by_group(cycle, told):
    cycle(actions=[action(), action("outbound", need=0.2)], sample=SAMPLE)

    assert sizes(told) == [5.3, 4, 2, 3]
    assert sizes(told, "outbound") == [0.2, 4, 2, 0]


def test_a_group_that_could_not_be_looked_at_has_no_size(cycle, told):
    cycle(actions=[action(mode="observing", current=None, desired=None, need=None)])

    assert sizes(told) == [None] * 4
    labels = {"group": "ledger", "direction": "none", "mode": "observing"}
    assert told("coin_controller_decisions_total", **labels) == 1


def test_decisions_are_counted_by_where_they_lead_and_in_which_mode(cycle, told):
    for desired in (4, 4, 2, 1):
        cycle(actions=[action(mode="dry_run", desired=desired)])
    cycle(actions=[action(mode="held")])

    def made(direction, mode="dry_run"):
        labels = {"group": "ledger", "direction": direction, "mode": mode}
        return told("coin_controller_decisions_total", **labels)

    assert [made("up"), made("none"), made("down"), made("up", "held")] == [2, 1, 1, 1]


def test_a_cycle_is_one_observation_of_its_time(cycle, told):
    cycle(seconds=0.25)
    cycle(seconds=0.5)

    assert told("coin_controller_cycle_seconds_count") == 2
    assert told("coin_controller_cycle_seconds_sum") == 0.75


def test_a_turn_that_fails_leaves_no_old_figure_and_is_no_cycle(figures, cycle, told):
    class Failing:
        leads = True

        def turn(self, now, *, elapsed):
            raise ZeroDivisionError

    cycle(actions=[action()], sample=SAMPLE)
    turn(Failing(), figures, elapsed=None)

    assert sizes(told) == [None] * 4
    assert told("coin_queue_oldest_seconds", queue="ledger") is None
    assert told("coin_controller_faults", what="turn") == 1
    assert told("coin_controller_leader") == 1
    assert told("coin_controller_cycle_seconds_count") == 1


def test_who_does_not_lead_makes_no_cycles_and_tells_no_sizes(cycle, told):
    cycle(actions=[action()], sample=SAMPLE)
    cycle(leads=False)

    assert told("coin_controller_leader") == 0
    assert told("coin_controller_cycle_seconds_count") == 1
    assert sizes(told) == [None] * 4
    assert told("coin_queue_oldest_seconds", queue="ledger") is None


def test_alarms_are_told_of_what_is_nearly_used_up(cycle, told):
    cycle(sample=SAMPLE)

    whats = ("cpu", "memory", "disk")
    assert [told("coin_alarm", what=what) for what in whats] == [1, 0, 1]
    assert told("coin_host_used_ratio", what="memory") == 0.89


def test_what_was_measured_is_told(cycle, told):
    cycle(sample=SAMPLE)

    def depth(state):
        return told("coin_queue_depth_jobs", queue="ledger", state=state)

    assert [depth(s) for s in ("ready", "delayed", "running")] == [7, 2, 1]
    assert told("coin_queue_oldest_seconds", queue="ledger") == 4.5
    assert told("coin_queue_messages", queue="ledger") == 1
    assert told("coin_workers", group="ledger", state="busy") == 2
    assert told("coin_database_connections", state="most") == 97
    assert told("coin_database_commit_seconds") == 0.004
    assert told("coin_worker_memory_bytes") == 40_000_000


def test_what_was_not_measured_is_not_told(cycle, told):
    """Missing data is never good news: it is neither zero nor what it was before."""
    cycle(sample=SAMPLE)
    cycle(
        sample=Sample(at=SAMPLE.at, seconds=5.0, queues={"mail": QueueLoad()}),
        faults=["host: PermissionError", "redis: TimeoutError"],
    )

    assert told("coin_alarm", what="cpu") is None
    assert told("coin_host_load") is None
    assert told("coin_database_connections", state="open") is None
    assert told("coin_queue_oldest_seconds", queue="ledger") is None
    assert told("coin_queue_messages", queue="mail") is None
    assert told("coin_controller_faults", what="redis") == 1


def test_a_fault_that_has_passed_is_not_told(cycle, told):
    cycle(faults=["database"])
    cycle()

    assert told("coin_controller_faults", what="database") is None


def test_a_port_that_another_has_is_asked_for_at_each_cycle(figures, cycle):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        figures.serve(port)
        cycle(leads=False)
    cycle(leads=True)

    assert "\ncoin_controller_leader 1.0\n" in asked(port)


def test_a_port_that_cannot_be_had_does_not_stop_the_controller(figures, cycle, told):
    figures.serve(9_102, "192.0.2.1")
    cycle()

    assert told("coin_controller_leader") == 1
