"""Quotas: what one process counts, what some count together, and without Redis."""

import itertools
import math
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from api import meters, shared
from api.meters import Meter
from api.shared import Shared
from cli.servers import embedded_redis
from tasks import _breaker

MINUTE = 60
# The beginning of a window, so that no test crosses into another by chance.
BEGINNING = 1_763_700_000 // MINUTE * MINUTE
PATIENT_SECONDS = 5.0
NOBODY = "redis://127.0.0.1:9/0"

_subjects = (f"someone-{number}" for number in itertools.count())


@pytest.fixture
def subject():
    return next(_subjects)


@pytest.fixture
def alone():
    """A quota of ten a minute of a process without Redis."""
    return Meter("alone", "10/minute", Shared(""))


@pytest.fixture
def processes(redis_url, monkeypatch):
    """Return a maker of one meter each for some processes."""
    # On a busy machine Redis may take longer than anybody waits for it otherwise.
    monkeypatch.setattr(shared, "SLOW_SECONDS", PATIENT_SECONDS)

    def make(rate, count=2, **options):
        return [Meter("m", rate, Shared(redis_url), **options) for _ in range(count)]

    return make


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url) as client:
        yield client


def take(meter, subject, times=1, *, now=BEGINNING, **options):
    """Return how many of so many hits were allowed."""
    return sum(meter.take(subject, now=now, **options).allowed for _ in range(times))


def test_a_quota_is_allowed_and_no_more(alone, subject):
    assert take(alone, subject, 25) == 10


def test_each_hit_leaves_one_less_until_none_is_left(alone, subject):
    left = [alone.take(subject, now=BEGINNING).remaining for _ in range(12)]

    assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]


def test_subjects_do_not_share_a_quota(alone):
    assert [take(alone, name, 20) for name in ("a", "b")] == [10, 10]


def test_what_was_refused_is_not_counted(alone, subject):
    """A client that never stops asking gets its quota all the same."""
    minutes = [
        take(alone, subject, 100, now=BEGINNING + MINUTE * number + second)
        for number in range(10)
        for second in (0, 15, 30, 45)
    ]

    assert sum(minutes) >= 75


def test_a_steady_client_below_the_quota_is_never_refused(alone, subject):
    """Eight a minute, for an hour: no hit makes an earlier one count for longer."""
    moments = [BEGINNING + number * MINUTE / 8 for number in range(8 * 60)]

    assert all(alone.take(subject, now=moment).allowed for moment in moments)


def test_the_end_of_one_window_and_the_beginning_of_the_next_share_a_quota(
    alone, subject
):
    before = take(alone, subject, 10, now=BEGINNING + 59)
    after = take(alone, subject, 10, now=BEGINNING + MINUTE + 6)

    assert (before, after) == (10, 1)


def test_who_waits_as_long_as_told_is_allowed(alone, subject):
    take(alone, subject, 10, now=BEGINNING + 30)
    refused = alone.take(subject, now=BEGINNING + 31)

    again = BEGINNING + 31 + refused.seconds

    assert not alone.take(subject, now=again - 2).allowed
    assert alone.take(subject, now=again).allowed


@given(
    st.lists(
        st.tuples(st.floats(0, 50), st.integers(1, 5)), min_size=1, max_size=120
    ).filter(lambda steps: sum(step for step, _ in steps) > 0)
)
def test_no_window_that_begins_with_a_minute_has_more_than_its_quota(steps):
    meter = Meter("alone", "10/minute", Shared(""))
    used, now = {}, float(BEGINNING)
    for step, cost in steps:
        now += step
        taken = meter.take("someone", now=now, cost=cost)
        if taken.allowed:
            window = now // MINUTE
            used[window] = used.get(window, 0) + cost
        else:
            # What is said about when to come back is true.
            assert 1 <= taken.seconds <= 2 * MINUTE
    assert max(used.values(), default=0) <= 10


@given(st.integers(1, 10), st.floats(0, 59), st.integers(1, 10), st.floats(0, 119))
def test_the_wait_is_enough_and_never_a_second_too_long(first, at, cost, later):
    meter = Meter("alone", "10/minute", Shared(""))
    meter.take("someone", now=BEGINNING + at, cost=first)
    now = BEGINNING + at + later
    taken = meter.take("someone", now=now, cost=cost)
    if not taken.allowed:
        assert meter.take("someone", now=now + taken.seconds, cost=cost).allowed


def test_a_batch_counts_by_its_entries(alone, subject):
    assert alone.take(subject, now=BEGINNING, cost=7).allowed
    assert not alone.take(subject, now=BEGINNING, cost=4).allowed
    assert alone.take(subject, now=BEGINNING, cost=3).remaining == 0


def test_a_quota_may_be_smaller_for_a_while(alone, subject):
    assert take(alone, subject, 5, amount=2) == 2
    assert take(alone, subject, 20) == 8


def test_subjects_without_number_take_no_memory_without_bound(monkeypatch):
    monkeypatch.setattr(meters, "SUBJECTS_MAX", 100)
    meter = Meter("alone", "10/minute", Shared(""))

    for number in range(1_000):
        meter.take(f"stranger-{number}", now=BEGINNING)

    assert len(meter._counters) <= 100


def test_processes_share_a_quota_to_a_slice_each(processes, subject):
    """400 a minute: a process keeps up to four hits to itself."""
    several = processes("400/minute", 3)

    allowed = sum(take(meter, subject) for _ in range(400) for meter in several)

    assert 400 <= allowed <= 400 + 3 * 4


@pytest.mark.parametrize("count", [2, 5])
def test_an_exact_quota_is_never_exceeded_by_any_number_of_processes(
    processes, subject, count
):
    several = processes("20/minute", count, every=0)

    def hammer(meter):
        return take(meter, subject, 20)

    with ThreadPoolExecutor(count) as pool:
        allowed = sum(pool.map(hammer, several))

    assert allowed <= 20
    # Who was refused has given back what it took, so the rest can still be had.
    assert allowed + take(several[0], subject, 20) >= 19


def test_threads_of_one_process_never_exceed_an_exact_quota(processes, subject):
    [meter] = processes("20/minute", 1, every=0)

    with ThreadPoolExecutor(8) as pool:
        allowed = sum(pool.map(lambda _: take(meter, subject), range(100)))

    assert 0 < allowed <= 20


def test_a_process_far_below_a_quota_asks_nobody(processes, redis, subject):
    [meter] = processes("1000/minute", 1)
    before = redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)

    take(meter, subject, 10)

    stats = redis.info("commandstats").get("cmdstat_evalsha", {})
    assert stats.get("calls", 0) == before


def test_what_is_counted_in_redis_ends_by_itself_and_is_never_kept_longer(
    processes, redis, subject
):
    """The time to live begins with the window's first hit; later ones leave it."""
    [meter] = processes("20/minute", 1, every=0)
    take(meter, subject)
    [key] = redis.scan_iter(f"*{subject}*")
    redis.expire(key, 7)

    take(meter, subject, 5)

    assert 0 < redis.ttl(key) <= 7
    assert int(redis.get(key)) == 6


def test_a_new_process_learns_of_the_window_before(processes, subject):
    old, new = processes("20/minute", 2, every=0)
    take(old, subject, 20, now=BEGINNING + 50)

    assert take(new, subject, 20, now=BEGINNING + MINUTE + 15) == 5


def test_a_redis_that_was_emptied_forgets_nothing_that_a_process_knows(
    processes, redis, subject
):
    [meter] = processes("20/minute", 1, every=0)
    take(meter, subject, 15)
    for key in redis.scan_iter(f"*{subject}*"):
        redis.delete(key)

    assert take(meter, subject, 20) == 5


def test_without_redis_a_process_counts_for_itself(subject):
    meter = Meter("away", "20/minute", Shared(NOBODY), every=0)

    assert take(meter, subject, 50) == 20


def test_a_redis_that_is_away_is_asked_once_and_left_alone(subject):
    away = Shared(NOBODY)
    asked = []

    def question(storage):
        asked.append(storage)
        return storage.get("x")

    answers = [away.ask(question) for _ in range(100)]

    assert answers == [None] * 100
    assert len(asked) == 1


def test_a_redis_that_does_not_answer_costs_some_tens_of_milliseconds_once():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        meter = Meter(
            "slow", "1000/minute", Shared(f"redis://127.0.0.1:{port}/0"), every=0
        )
        began = time.monotonic()
        allowed = take(meter, "someone", 500)
        seconds = time.monotonic() - began

    assert allowed == 500
    assert seconds < 10 * shared.SLOW_SECONDS


def test_what_was_counted_while_redis_was_away_is_told_when_it_is_back(
    tmp_path, monkeypatch, subject
):
    monkeypatch.setattr(_breaker, "LEFT_ALONE_SECONDS", 0.0)
    with embedded_redis(tmp_path) as url:
        meter = Meter("back", "20/minute", Shared(url), every=0)
        other = Meter("back", "20/minute", Shared(url), every=0)
        real, meter._shared = meter._shared, Shared(NOBODY)
        take(meter, subject, 12)
        meter._shared = real

        take(meter, subject)

        assert take(other, subject, 20) == 20 - 13


def test_all_who_ask_at_once_wait_no_longer_than_one(subject):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        port = silent.getsockname()[1]
        url = f"redis://127.0.0.1:{port}/0"
        meter = Meter("slow", "1000/minute", Shared(url), every=0)
        ready = threading.Barrier(16)

        def ask(_):
            ready.wait()
            began = time.monotonic()
            take(meter, subject)
            return time.monotonic() - began

        with ThreadPoolExecutor(16) as pool:
            longest = max(pool.map(ask, range(16)))

    assert longest < 10 * shared.SLOW_SECONDS


def test_what_is_left_is_rounded_down_and_the_wait_up(alone, subject):
    take(alone, subject, 7, now=BEGINNING + 59)
    taken = alone.take(subject, now=BEGINNING + MINUTE + 1.5)

    used = 1 + 7 * (1 - 1.5 / MINUTE)
    assert taken.remaining == math.floor(10 - used)
    assert taken.seconds == math.ceil(MINUTE - 1.5)
