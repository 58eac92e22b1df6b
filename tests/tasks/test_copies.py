"""Copies in Redis: whatever comes in whichever order, none is older than was told."""

import socket
import time

import pytest
import sqlalchemy as sa
from redis import Redis

from domain.ledger import AccountKey
from tasks import _breaker, _copies, _drain, ledger
from tasks._copies import SLOW_SECONDS, Copies, Look, balance_name
from tests.factories import make_owner
from tests.waiting import eventually

NOBODY = "redis://127.0.0.1:9/0"
APPLICATION = "commons"
# However slow this machine is, a Redis that answers is not slow.
PATIENT = 5.0


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    monkeypatch.setattr(_copies, "SLOW_SECONDS", PATIENT)


@pytest.fixture
def new_copies(redis_url, patient):
    """Return a maker of copies, each as of a process of its own."""
    made = []

    def make(url=redis_url, life_seconds=60):
        made.append(Copies(url, life_seconds))
        return made[-1]

    yield make
    for copies in made:
        copies.close()


@pytest.fixture
def copies(new_copies):
    return new_copies()


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def name(owner):
    return balance_name(APPLICATION, owner)


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url) as client:
        yield client


def account(owner, shard=0):
    return AccountKey(APPLICATION, owner, shard)


def found(copies, name):
    """Return the version and the body of what is kept, None when nothing is."""
    look = copies.look(name)
    return (look.version, look.body) if look.body else None


def put(copies, name, version):
    """Read as a reader would that finds this version in the database."""
    copies.keep(name, version, b"v%d" % version, looked=copies.look(name))


def test_what_was_kept_is_found(copies, name):
    put(copies, name, 3)

    assert found(copies, name) == (3, b"v3")


def test_a_copy_lives_half_its_life_however_often_it_is_read(copies, redis, name):
    put(copies, name, 3)
    for _ in range(5):
        found(copies, name)

    assert 0 < redis.pttl(name) <= 30_000


def test_a_fence_takes_an_older_copy_away(copies, owner, name):
    put(copies, name, 3)

    copies.fence({account(owner): 4})

    assert found(copies, name) is None


def test_who_read_before_the_fence_cannot_bring_the_old_back(copies, owner, name):
    looked = copies.look(name)
    copies.fence({account(owner): 4})

    copies.keep(name, 3, b"v3", looked=looked)

    assert found(copies, name) is None


def test_who_read_after_the_fence_and_before_the_commit_cannot_either(
    copies, owner, name
):
    copies.fence({account(owner): 4})

    put(copies, name, 3)

    assert found(copies, name) is None


def test_what_was_fenced_may_be_kept(copies, owner, name):
    copies.fence({account(owner): 4})

    put(copies, name, 4)

    assert found(copies, name) == (4, b"v4")


def test_an_older_answer_does_not_replace_a_newer(copies, name):
    looked = copies.look(name)
    put(copies, name, 4)

    copies.keep(name, 3, b"v3", looked=looked)

    assert found(copies, name) == (4, b"v4")


def test_a_fence_that_comes_late_does_not_lower_one(copies, owner, name):
    copies.fence({account(owner): 5})
    copies.fence({account(owner): 4})

    put(copies, name, 4)

    assert found(copies, name) is None


def test_a_batch_that_is_tried_again_fences_again(copies, redis, owner, name):
    copies.fence({account(owner): 4})
    redis.pexpire(name, 1_000)

    copies.fence({account(owner): 4})

    assert redis.pttl(name) > 50_000


def test_a_slow_reader_comes_too_late_when_the_newer_copy_is_gone(
    copies, owner, name, redis
):
    """Neither fence nor newer copy is left to refuse it; the time does."""
    copies._half_ms = 40
    slow = copies.look(name)
    copies.fence({account(owner): 4})
    put(copies, name, 4)
    eventually(lambda: not redis.exists(name))

    copies.keep(name, 3, b"v3", looked=slow)

    assert found(copies, name) is None


def test_a_newer_copy_outlives_every_reader_it_must_refuse(copies, redis, name):
    """A copy lives for as long as a reader may take."""
    looked = copies.look(name)
    put(copies, name, 4)

    assert redis.pttl(name) <= copies._half_ms
    late = Look(looked.at - copies._half_ms - 1)
    copies.keep(name, 9, b"v9", looked=late)
    assert found(copies, name) == (4, b"v4")


def test_a_clock_that_stepped_back_keeps_nothing(copies, name):
    looked = copies.look(name)

    copies.keep(name, 3, b"v3", looked=Look(looked.at + 10_000))

    assert found(copies, name) is None


def test_thousands_are_fenced_at_once(copies):
    owners = [make_owner() for _ in range(2_100)]
    for owner in owners[::100]:
        put(copies, balance_name(APPLICATION, owner), 1)

    copies.fence({account(owner): 2 for owner in owners})

    left = [found(copies, balance_name(APPLICATION, owner)) for owner in owners[::100]]
    assert left == [None] * 21


def test_system_accounts_are_not_fenced(copies, redis):
    """Their version is a sum, which no worker knows."""
    copies.fence({account("@issuance", 7): 4})

    assert not redis.exists(balance_name(APPLICATION, "@issuance"))


# What a worker commits


def copy_of(lane, copies, owner):
    """Keep a copy of an owner's balance as the API would."""
    name = balance_name(APPLICATION, owner)
    _, version = lane.balance(owner)
    put(copies, name, version)
    assert found(copies, name)
    return name


def test_an_old_copy_is_gone_before_anyone_can_be_told_of_the_new_balance(
    lane, copies, owner, declare
):
    seen = []

    def post(session, claims, *, lane, now):
        @sa.event.listens_for(session.get_bind(), "commit", once=True)
        def about_to_commit(_connection):
            seen.append(found(copies, name))

        return ledger.post(session, claims, lane=lane, now=now)

    lane.submit(lane.write(owner))
    lane.drain()
    name = copy_of(lane, copies, owner)
    declare("ledger.watched", batch=post)
    write = lane.write(owner)
    lane.submit(write._replace(kind="ledger.watched"))
    lane.drain()

    assert lane.states() == ["succeeded"] * 2
    assert seen == [None]


def test_a_write_that_was_not_committed_makes_nothing_wrong(
    lane, copies, owner, declare, kill
):
    killed = []

    def post(session, claims, *, lane, now):
        @sa.event.listens_for(session, "before_commit", once=True)
        def disturb(session):
            if not killed:
                killed.append(lane)
                kill(session)

        return ledger.post(session, claims, lane=lane, now=now)

    declare("ledger.disturbed", batch=post)
    write = lane.write(owner)
    lane.submit(write._replace(kind="ledger.disturbed"))
    lane.drain()
    name = copy_of(lane, copies, owner)

    assert killed
    assert lane.balance(owner) == (10, 1)
    assert found(copies, name) == (1, b"v1")


def test_a_refused_write_leaves_the_copy(lane, copies, owner):
    lane.submit(lane.write(owner))
    lane.drain()
    name = copy_of(lane, copies, owner)
    other = make_owner()
    lane.submit(lane.write(other, "CREDIT_SPEND"))
    lane.drain()

    assert lane.states() == ["succeeded", "refused"]
    assert found(copies, name) == (1, b"v1")


# Redis away


def test_a_redis_that_is_away_is_asked_once_and_left_alone(new_copies, monkeypatch):
    away, asked = new_copies(NOBODY), []
    real = away._redis.eval
    monkeypatch.setattr(
        away._redis, "eval", lambda *rest: asked.append(rest) or real(*rest)
    )

    looks = [away.look("x") for _ in range(100)]

    assert looks == [None] * 100
    assert len(asked) == 1


def test_while_one_asks_again_the_others_go_on_without(new_copies):
    away, asked = new_copies(NOBODY), []
    away.look("x")
    away._breaker._again = time.monotonic()

    def question():
        asked.append(away.look("x"))
        return "well"

    assert away._breaker.ask(question) == "well"
    assert asked == [None]
    assert away._breaker.ask(lambda: "well") == "well"


def test_a_redis_that_is_back_is_asked_again(new_copies, monkeypatch, redis_url):
    monkeypatch.setattr(_breaker, "LEFT_ALONE_SECONDS", 0.0)
    copies, back = new_copies(NOBODY), new_copies()
    assert copies.look("x") is None

    copies._redis = back._redis

    assert copies.look("x") is not None


def test_a_silent_redis_neither_fails_nor_delays_batches(
    lane, owner, monkeypatch, forget_settings
):
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(_copies, "SLOW_SECONDS", SLOW_SECONDS)
        forget_settings()
        fences, real = [], Copies.fence

        def fence(self, changed):
            began = time.monotonic()
            real(self, changed)
            fences.append(time.monotonic() - began)

        monkeypatch.setattr(Copies, "fence", fence)
        for _ in range(5):
            lane.submit(lane.write(owner))
            lane.drain()

    assert lane.balance(owner) == (50, 5)
    assert max(fences) < 4 * SLOW_SECONDS
    assert sum(fences) < 6 * SLOW_SECONDS


@pytest.mark.parametrize("variable", ["REDIS_URL", "CACHE_SECONDS"])
def test_without_redis_or_a_life_nothing_is_asked(
    lane, owner, monkeypatch, forget_settings, variable
):
    monkeypatch.setenv(variable, "" if variable == "REDIS_URL" else "0")
    forget_settings()
    lane.submit(lane.write(owner))
    lane.drain()

    assert lane.states() == ["succeeded"]
    assert not _drain.copies().wanted
