"""Samples are kept as they were, and later as one of many that adds up to the same."""

from dataclasses import asdict, replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from domain import workload
from domain.workload import (
    Crew,
    DatabaseLoad,
    HostLoad,
    KindLoad,
    QueueLoad,
    Sample,
    WorkloadSample,
    keeping,
)
from tests.factories import NOW

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
TICK = 5.0
HOST = HostLoad(
    cpu=40.0,
    cores=2,
    load=0.5,
    memory=50.0,
    memory_available=1_000,
    swap=0.0,
    disk=10.0,
    workers=2,
    worker_bytes=100,
)


@pytest.fixture(autouse=True)
def only_ours(session):
    session.execute(sa.delete(WorkloadSample))


def make_sample(at=NOW, **fields):
    return Sample(
        **{
            "at": at,
            "seconds": TICK,
            "queues": {"ledger": QueueLoad(ready=3, oldest=0.5, messages=1)},
            "kinds": {"ledger.post_operation": KindLoad(arrived=9, finished=7)},
            "crews": {"ledger": Crew(alive=2, busy=1)},
            "database": DatabaseLoad(connections=9, connections_max=97, commit_ms=1.5),
            "host": HOST,
            **fields,
        }
    )


def store(session, count, *, ago, every=TICK, **fields):
    """Store so many samples, the first of them so long before now."""
    for number in range(count):
        at = NOW - ago + number * every * SECOND
        workload.store(session, make_sample(at, **fields))


def everything(session):
    session.expire_all()
    return workload.since(session, NOW - 1_000 * DAY)


# Stored


@pytest.mark.parametrize(
    "sample",
    [
        make_sample(),
        make_sample(database=None, host=None),
        make_sample(queues={}, kinds={}, crews={}),
        make_sample(host=replace(HOST, load=None, worker_bytes=None)),
        make_sample(queues={"mail": QueueLoad(messages=None)}),
    ],
)
def test_a_sample_is_read_as_it_was_stored(session, sample):
    workload.store(session, sample)
    session.expire_all()

    assert workload.newest(session) == sample


def test_without_a_sample_there_is_no_newest(session):
    assert workload.newest(session) is None


def test_of_two_of_one_moment_the_first_counts(session):
    workload.store(session, make_sample(seconds=1.0))
    workload.store(session, make_sample(seconds=2.0))

    assert [sample.seconds for sample in everything(session)] == [1.0]


def test_those_after_a_time_are_found_oldest_first(session):
    for seconds in (10, 0, 5):
        workload.store(session, make_sample(NOW + seconds * SECOND))

    found = workload.since(session, NOW)
    assert [sample.at for sample in found] == [NOW + 5 * SECOND, NOW + 10 * SECOND]
    assert workload.newest(session) == found[-1]


# Merged


def test_of_several_counts_are_added_and_levels_are_the_highest():
    first = make_sample()
    second = make_sample(
        NOW + SECOND,
        seconds=10.0,
        queues={
            "ledger": QueueLoad(ready=1, delayed=4, running=1, oldest=2.0),
            "mail": QueueLoad(ready=1),
        },
        kinds={
            "ledger.post_operation": KindLoad(
                arrived=1, finished=1, refused=1, failed=1, seconds=0.5, cpu_seconds=0.1
            )
        },
        crews={"ledger": Crew(alive=1, busy=1)},
        database=DatabaseLoad(connections=4, connections_max=97, commit_ms=None),
        host=replace(
            HOST,
            cpu=60.0,
            load=None,
            memory_available=500,
            workers=1,
            worker_bytes=None,
        ),
    )

    assert workload.merged([first, second]) == Sample(
        at=second.at,
        seconds=15.0,
        queues={
            "ledger": QueueLoad(ready=3, delayed=4, running=1, oldest=2.0, messages=1),
            "mail": QueueLoad(ready=1),
        },
        kinds={
            "ledger.post_operation": KindLoad(
                arrived=10,
                finished=8,
                refused=1,
                failed=1,
                seconds=0.5,
                cpu_seconds=0.1,
            )
        },
        crews={"ledger": Crew(alive=2, busy=1)},
        database=DatabaseLoad(connections=9, connections_max=97, commit_ms=1.5),
        host=replace(HOST, cpu=50.0, memory_available=500),
    )


def test_what_none_of_several_measured_stays_unmeasured():
    blind = make_sample(database=None, host=None)
    merged = workload.merged([blind, blind])

    assert (merged.database, merged.host) == (None, None)
    assert workload.merged([blind, make_sample()]).host == HOST


COUNTS = st.builds(
    KindLoad,
    **dict.fromkeys(("arrived", "finished", "refused", "failed"), st.integers(0, 999)),
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), COUNTS), min_size=1))
def test_no_count_is_lost_or_doubled(measured):
    samples = [make_sample(kinds=kinds) for kinds in measured]
    merged = workload.merged(samples)

    assert merged.seconds == TICK * len(samples)
    assert summed([merged]) == summed(samples)


def summed(samples):
    """Return what came and was done of all kinds, and in how many seconds."""
    counts = [asdict(load) for one in samples for load in one.kinds.values()]
    names = ("arrived", "finished", "refused", "failed")
    return {name: sum(count[name] for count in counts) for name in names}


# Rolled up


def test_after_a_day_five_minutes_become_one_sample_that_adds_up_to_them(session):
    store(session, 180, ago=DAY + timedelta(minutes=20))
    before = everything(session)
    rolled = workload.roll_up(session, now=NOW)
    after = everything(session)

    assert (rolled, len(after)) == (180, 3)
    assert [sample.seconds for sample in after] == [300.0] * 3
    assert [sample.at for sample in after] == [one.at for one in before[59::60]]
    assert summed(after) == summed(before)


def test_what_is_younger_than_a_day_is_left_whole(session):
    store(session, 60, ago=DAY - timedelta(minutes=5))

    assert workload.roll_up(session, now=NOW) == 0
    assert len(everything(session)) == 60


def test_five_minutes_are_rolled_up_when_all_of_them_are_old(session):
    store(session, 60, ago=DAY)
    rolled = [
        workload.roll_up(session, now=NOW + seconds * SECOND)
        for seconds in (0, 60, 299, 300, 600)
    ]

    assert rolled == [0, 0, 0, 60, 0]


def test_to_roll_up_again_changes_nothing(session):
    store(session, 130, ago=3 * DAY)
    workload.roll_up(session, now=NOW)
    once = everything(session)

    assert workload.roll_up(session, now=NOW) == 0
    assert everything(session) == once


def test_a_controller_that_was_away_leaves_samples_that_stay_as_they_are(session):
    """One sample of five minutes is one already, however short."""
    store(session, 10, ago=3 * DAY, every=300.0)
    before = everything(session)

    assert workload.roll_up(session, now=NOW) == 0
    assert everything(session) == before


def test_however_long_nobody_did_it_a_day_at_most_is_rolled_up_at_once(
    session, monkeypatch
):
    monkeypatch.setattr(keeping, "_STRETCHES_MAX", 4)
    store(session, 60, ago=3 * DAY, every=100.0)
    rolled = [workload.roll_up(session, now=NOW) for _ in range(7)]

    assert rolled == [12, 12, 12, 12, 12, 0, 0]
    assert len(everything(session)) == 20


def test_after_a_quarter_of_a_year_samples_are_gone(session):
    store(session, 1, ago=91 * DAY)
    store(session, 1, ago=89 * DAY)
    workload.roll_up(session, now=NOW)

    assert [sample.at for sample in everything(session)] == [NOW - 89 * DAY]
