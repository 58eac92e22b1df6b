"""Guessing is slowed down; who knows the password is let in before long."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from redis import Redis

from api import guesses, shared
from api.errors import Problem
from api.guesses import ACCOUNT, ADDRESS, PAIR, Guesses
from api.shared import Shared
from tests.factories import make_owner

HERE = "198.51.100.7/32"
THERE = "203.0.113.9/32"


@pytest.fixture(params=["redis", "memory"])
def make(request, redis_url, monkeypatch):
    """Return a maker of a process; those with Redis share what they know."""
    # On a busy machine it may take longer than anybody waits for it otherwise.
    monkeypatch.setattr(shared, "SLOW_SECONDS", 5.0)
    url = redis_url if request.param == "redis" else ""
    return lambda: Guesses(Shared(url))


@pytest.fixture
def one(make):
    return make()


@pytest.fixture
def alice():
    return make_owner("alice")


@pytest.fixture
def place():
    """Return an address of a test's own."""
    return f"{make_owner('place')}/32"


@pytest.fixture
def later(monkeypatch, redis_url):
    """Let time pass for what is remembered: what is due comes sooner."""

    def let_pass(process, seconds):
        for failures in process._memory.values():
            failures.due -= seconds
        with Redis.from_url(redis_url) as client:
            for key in client.scan_iter("coin:login:*"):
                if client.type(key) == b"hash" and (due := client.hget(key, "due")):
                    client.hset(key, "due", float(due) - 1000 * seconds)

    return let_pass


def fail(one, name, address, times):
    """Return how long the last of so many failed attempts had to wait."""
    wait = 0
    for _ in range(times):
        wait = one.wait_seconds(name, address)
        if not wait:
            one.failed(name, address)
    return wait


@contextmanager
def refused():
    with pytest.raises(Problem) as raised:
        yield raised


def test_some_slips_cost_nothing(one, alice, place):
    assert fail(one, alice, place, PAIR.free) == 0


def test_after_them_each_failure_makes_the_next_wait_longer(one, alice, place, later):
    fail(one, alice, place, PAIR.free)
    waits = []
    for _ in range(9):
        assert one.wait_seconds(alice, place) == 0
        wait = one.wait_seconds(alice, place)
        waits.append(wait)
        later(one, wait + 1)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_who_has_to_wait_is_told_how_long(one, alice, place):
    fail(one, alice, place, PAIR.free + 1)

    with refused() as raised:
        one.before(alice, place)

    problem = raised.value
    assert (problem.status_code, problem.name) == (429, "login_delayed")
    assert int(problem.headers["Retry-After"]) == 1


def test_attempts_that_had_to_wait_do_not_count(one, alice, place, later):
    fail(one, alice, place, PAIR.free + 1)
    fail(one, alice, place, 50)
    later(one, 2)

    assert one.wait_seconds(alice, place) == 0
    assert one.wait_seconds(alice, place) == 2


def test_success_forgets_the_failures(one, alice, place):
    fail(one, alice, place, PAIR.free)
    one.succeeded(alice, place)

    assert fail(one, alice, place, PAIR.free) == 0


def test_many_at_once_are_not_all_the_first(make, alice, place):
    one = make()

    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: one.wait_seconds(alice, place), range(64)))

    assert waits.count(0) <= PAIR.free + 1


def test_a_stranger_elsewhere_delays_nobody_where_they_are_known(one, alice, place):
    """However often others fail, no account is closed to who uses it."""
    one.before(alice, place)
    one.succeeded(alice, place)
    for number in range(3 * ACCOUNT.free):
        fail(one, alice, f"{place}-{number}", 2)

    assert one.wait_seconds(alice, place) == 0


def test_an_account_attacked_from_everywhere_is_slow_from_anywhere_new(
    one, alice, place
):
    for number in range(ACCOUNT.free + 5):
        fail(one, alice, f"{place}-{number}", 1)

    wait = one.wait_seconds(alice, place)

    assert 0 < wait <= ACCOUNT.seconds_max


def test_a_site_of_many_people_shares_its_address(one, place):
    """A hundred people who each mistype once, and log in then."""
    for number in range(ADDRESS.free):
        name = f"{place}-{number}"
        assert fail(one, name, place, 1) == 0
        assert one.wait_seconds(name, place) == 0
        one.succeeded(name, place)


def test_an_address_that_tries_many_accounts_is_slowed_down(one, place):
    for number in range(ADDRESS.free):
        fail(one, f"{place}-{number}", place, 1)
    fail(one, f"{place}-a", place, 1)

    assert 0 < one.wait_seconds(f"{place}-b", place) <= ADDRESS.seconds_max


def test_an_account_of_ones_own_does_not_buy_guesses(one, alice, place, later):
    """Logging in between the guesses takes back that attempt, and no guess."""
    for number in range(ADDRESS.free):
        fail(one, f"{place}-{number}", place, 1)
    waits = []
    for number in range(4):
        fail(one, f"{place}-guess-{number}", place, 1)
        waits.append(one.wait_seconds(alice, place))
        later(one, waits[-1] + 1)
        assert one.wait_seconds(alice, place) == 0
        one.succeeded(alice, place)

    assert waits == [1, 2, 4, 8]


def test_logging_in_at_home_buys_strangers_nothing(one, alice, place, later):
    one.before(alice, place)
    one.succeeded(alice, place)
    for number in range(ACCOUNT.free + 1):
        fail(one, alice, f"{place}-{number}", 1)
    for _ in range(5):
        one.before(alice, place)
        one.succeeded(alice, place)

    assert one.wait_seconds(alice, f"{place}-new") == 1
    later(one, 2)
    assert fail(one, alice, f"{place}-new", 1) == 0
    assert one.wait_seconds(alice, f"{place}-newer") == 2


def test_processes_count_together(redis_url, alice, place):
    two = [Guesses(Shared(redis_url)) for _ in range(2)]
    for number in range(PAIR.free + 1):
        assert two[number % 2].wait_seconds(alice, place) == 0

    assert [one.wait_seconds(alice, place) for one in two] == [1, 1]


def test_what_one_process_knows_holds_for_the_others(redis_url, alice, place):
    here, there = (Guesses(Shared(redis_url)) for _ in range(2))
    for number in range(ACCOUNT.free + 5):
        fail(here, alice, f"{place}-{number}", 1)
    fail(here, alice, place, PAIR.free)
    there.succeeded(alice, place)

    assert fail(here, alice, place, PAIR.free) == 0


def test_without_redis_a_process_goes_by_what_it_saw(redis_url, alice, place):
    one = Guesses(Shared(redis_url))
    fail(one, alice, place, PAIR.free + 1)
    one._shared = Shared("")

    assert one.wait_seconds(alice, place) == 1


def test_names_differ_by_more_than_case(one, place):
    name = make_owner("Bob")
    fail(one, name.upper(), place, PAIR.free + 1)

    assert one.wait_seconds(name.lower(), place) == 1


def test_neither_names_nor_what_was_typed_for_one_is_kept(redis_url, place):
    one, secret = Guesses(Shared(redis_url)), make_owner("secret")
    fail(one, secret, place, 2)

    with Redis.from_url(redis_url) as client:
        kept = [key.decode() for key in client.scan_iter("coin:login:*")]

    assert kept
    assert not [key for key in [*kept, *one._memory] if secret in key]


def test_what_is_remembered_in_redis_is_forgotten_in_time(redis_url, alice, place):
    one = Guesses(Shared(redis_url))
    fail(one, alice, place, 3)
    one.succeeded(alice, place)

    with Redis.from_url(redis_url) as client:
        left = [client.ttl(key) for key in client.scan_iter("coin:login:*")]

    assert left
    assert all(0 < seconds <= guesses.KNOWN_SECONDS for seconds in left)


def test_memory_has_an_end(monkeypatch):
    monkeypatch.setattr(guesses, "_MEMORY_MAX", 30)
    one = Guesses(Shared(""))

    for number in range(200):
        fail(one, f"name-{number}", HERE if number % 2 else THERE, 1)
        one.succeeded(f"name-{number}", HERE)

    assert len(one._memory) <= 30 + 3
    assert len(one._known) <= 30
