"""Ticks of stored samples: each group sees its own, and missing is not idle."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.ticks import hosts_of, ticks_of
from domain.workers import GROUPS, LEDGER, OUTBOUND, slots_of
from domain.workload import Crew, HostLoad, KindLoad, QueueLoad, Sample

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOST = HostLoad(
    cpu=40.0,
    cores=2,
    load=0.5,
    memory=60.0,
    memory_available=4_000_000_000,
    swap=0.0,
    disk=70.0,
)

COUNTS = st.integers(0, 10_000)
SECONDS = st.floats(0, 1_000)
QUEUES = st.sampled_from(["ledger", "content", "maintenance", "mail", "webhooks"])
LOADS = st.builds(QueueLoad, ready=COUNTS, running=COUNTS, oldest=SECONDS)
KINDS = st.builds(KindLoad, arrived=COUNTS, finished=COUNTS, seconds=SECONDS)
SAMPLES = st.builds(
    Sample,
    at=st.just(AT),
    seconds=st.floats(0.1, 300),
    queues=st.dictionaries(QUEUES, LOADS),
    kinds=st.dictionaries(
        st.builds("{}.{}".format, QUEUES, st.sampled_from(["post", "send"])), KINDS
    ),
    crews=st.dictionaries(
        st.sampled_from(list(GROUPS)), st.builds(Crew, alive=COUNTS, busy=COUNTS)
    ),
)


def sampled(**fields):
    return Sample(at=AT, seconds=5.0, **fields)


def tick(sample, group):
    (found,) = ticks_of([sample], group)
    return found


def test_a_tick_is_the_groups_own_part_of_a_sample():
    sample = sampled(
        queues={
            "ledger": QueueLoad(ready=7, oldest=1.5),
            "maintenance": QueueLoad(ready=1, oldest=4.0),
            "mail": QueueLoad(ready=90, oldest=60.0),
        },
        kinds={
            "ledger.post": KindLoad(arrived=50, finished=40, seconds=2.0),
            "maintenance.reconcile": KindLoad(arrived=1, finished=1, seconds=0.5),
            "mail.send": KindLoad(arrived=100, finished=10, seconds=20.0),
        },
        crews={"ledger": Crew(alive=4, busy=3), "outbound": Crew(alive=1, busy=1)},
    )

    assert tick(sample, LEDGER)._asdict() == {
        "at": AT.timestamp(),
        "seconds": 5.0,
        "arrived": 51,
        "finished": 41,
        "busy": 2.5,
        "ready": 8,
        "running": 3,
        "oldest": 4.0,
    }


@pytest.mark.parametrize(("queue", "slots"), [("mail", 4), ("webhooks", 32)])
def test_a_worker_that_does_several_at_once_is_busy_with_a_part_of_itself(queue, slots):
    """So a job's service time is what it takes of a worker, not how long it lasts."""
    kinds = {f"{queue}.send": KindLoad(finished=10, seconds=10.0)}

    assert tick(sampled(kinds=kinds), OUTBOUND).busy == 10.0 / slots


def test_what_a_sample_does_not_name_was_at_rest():
    idle = tick(sampled(), LEDGER)

    assert idle[2:] == (0, 0, 0, 0, 0, 0)


def test_where_nothing_was_measured_there_is_no_tick():
    assert ticks_of([], LEDGER) == []


def test_a_host_that_was_not_read_is_missing():
    later = Sample(at=AT + timedelta(seconds=5), seconds=5.0)

    (host,) = hosts_of([sampled(host=HOST), later])

    assert host == (AT.timestamp(), 40.0, 60.0, 70.0)


@given(samples=st.lists(SAMPLES, max_size=4))
def test_groups_share_out_what_was_measured_and_lose_none_of_it(samples):
    of_groups = [ticks_of(samples, group) for group in GROUPS.values()]

    for sample, *ticks in zip(samples, *of_groups, strict=True):
        kinds, queues = sample.kinds.values(), sample.queues.values()
        assert sum(t.arrived for t in ticks) == sum(kind.arrived for kind in kinds)
        assert sum(t.finished for t in ticks) == sum(kind.finished for kind in kinds)
        assert sum(t.ready for t in ticks) == sum(queue.ready for queue in queues)
        assert sum(t.running for t in ticks) == sum(
            crew.busy for crew in sample.crews.values()
        )
        assert max(t.oldest for t in ticks) == max(
            (queue.oldest for queue in queues), default=0.0
        )
        assert sum(t.busy for t in ticks) == pytest.approx(
            sum(
                load.seconds / slots_of(kind.partition(".")[0])
                for kind, load in sample.kinds.items()
            )
        )


@given(sample=SAMPLES)
def test_stored_and_read_again_it_is_the_same_tick(sample):
    again = Sample.of(sample.at, sample.seconds, sample.measured())

    for group in GROUPS.values():
        assert ticks_of([again], group) == ticks_of([sample], group)
