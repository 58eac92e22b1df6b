"""What bounds growth, and that nothing shrinks for want of room."""

from hypothesis import given
from hypothesis import strategies as st

from controller.ceilings import ceilings, without
from domain.workers import LEDGER, OUTBOUND
from domain.workload import DatabaseLoad, HostLoad, KindLoad, QueueLoad, Sample
from tests.factories import NOW

ROOMY = HostLoad(
    cpu=10.0,
    cores=2,
    load=0.5,
    memory=40.0,
    memory_available=1_056_000_000,
    swap=0.0,
    disk=40.0,
    worker_bytes=100_000_000,
)


def found(group=OUTBOUND, *, current=3, lanes=1, here=True, **parts):
    sample = Sample(at=NOW, seconds=5.0, **{"host": ROOMY, **parts})
    return ceilings(group, sample, current, lanes=lanes, here=here)


def host(**changes):
    return HostLoad(
        **{name: getattr(ROOMY, name) for name in ROOMY.__slots__} | changes
    )


def test_memory_has_room_for_so_many_more():
    assert found() == {"memory": 3 + 8}


def test_a_worker_that_was_never_weighed_is_thought_to_be_usual():
    assert found(host=host(worker_bytes=None))["memory"] == 3 + 13


def test_a_full_memory_takes_nobody_away():
    assert found(host=host(memory_available=10))["memory"] == 3


def test_workers_elsewhere_take_none_of_this_host():
    assert found(here=False) == {}
    assert found(here=False, host=None) == {}


def test_swapping_stops_growth():
    assert found(host=host(swap=30.0))["swap at 30 %"] == 3


def test_busy_cores_stop_the_growth_of_what_computes():
    busy = host(load=3.5)
    computing = {"mail.send_password_reset": KindLoad(seconds=10.0, cpu_seconds=9.0)}
    waiting = {"mail.send_password_reset": KindLoad(seconds=10.0, cpu_seconds=1.0)}

    assert found(host=busy, kinds=computing)["load 3.5 on 2 cores"] == 3
    assert found(host=busy, kinds=waiting).keys() == {"memory"}


def test_connections_are_left_for_others():
    database = DatabaseLoad(connections=85, connections_max=97)

    assert found(LEDGER, database=database)["connections"] == 3 + 3


def test_who_has_many_slots_takes_many_connections():
    database = DatabaseLoad(connections=72, connections_max=97)

    assert found(LEDGER, database=database)["connections"] == 3 + 10
    assert found(OUTBOUND, database=database)["connections"] == 3 + 2


def test_what_one_group_was_given_the_other_does_not_find():
    database = DatabaseLoad(connections=60, connections_max=97)
    sample = Sample(at=NOW, seconds=5.0, host=ROOMY, database=database)
    left = without(sample, OUTBOUND, 3, here=True)

    after = ceilings(LEDGER, left, 1, lanes=9, here=True)
    assert after["connections"] == 1 + (97 - 60 - 3 * 9 - 5) // 2
    assert after["memory"] == 1 + 5
    elsewhere = without(sample, OUTBOUND, 3, here=False)
    assert ceilings(LEDGER, elsewhere, 1, lanes=9, here=True)["memory"] == 1 + 8


def test_a_lane_has_one_writer_and_so_have_those_of_other_queues():
    resting = found(LEDGER, lanes=4)
    tending = found(
        LEDGER,
        lanes=4,
        queues={
            "ledger": QueueLoad(ready=500, lanes=4),
            "maintenance": QueueLoad(ready=2, lanes=1, running=1),
            "mail": QueueLoad(ready=9, lanes=1),
        },
    )

    assert resting["lanes"] == 4
    assert tending["lanes"] == 6


def test_a_rush_of_ballots_is_applied_in_one_lane():
    rush = {"governance": QueueLoad(ready=20_000, lanes=1, oldest=9.0)}

    assert found(LEDGER, lanes=1, queues=rush)["lanes"] == 2


@given(
    st.integers(1, 100),
    st.integers(0, 2**40),
    st.integers(0, 500),
    st.floats(0, 100),
    st.none() | st.floats(0, 500),
)
def test_nothing_but_lanes_is_below_what_there_is(current, memory, used, swap, load):
    ceiling = found(
        current=current,
        host=host(memory_available=memory, swap=swap, load=load),
        database=DatabaseLoad(connections=used, connections_max=97),
    )

    assert all(most >= current for most in ceiling.values())
