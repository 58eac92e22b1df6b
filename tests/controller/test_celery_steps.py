"""Which of several nodes is told what, and what is made of those that do not do it."""

from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from redis import Redis

import celeryconfig
from bench.faults import lent
from controller.targets import Unavailable
from controller.targets.celery import CeleryTarget
from controller.targets.remote_control import KEY_PREFIX
from tests.controller.pretended import PretendedNode, pretending


@pytest.fixture(scope="module")
def broker_url(servers):
    with lent.redis(servers["redis"]) as url:
        yield url


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def target(broker_url, clock):
    return CeleryTarget(broker_url, clock=clock)


@pytest.fixture
def answering(broker_url, monkeypatch):
    """Let nodes answer; who asks all of them need not wait for more."""

    there = []

    @contextmanager
    def answering(*nodes):
        there.extend(nodes)
        with monkeypatch.context() as patch, pretending(broker_url, *nodes):
            most = "controller.targets.remote_control._ANSWERS_MAX"
            patch.setattr(most, len(there))
            yield

    return answering


@pytest.fixture
def three():
    """One node that is busy, one that is idle, one that has its last process."""
    return [
        PretendedNode("busy@a", processes=4, busy=4),
        PretendedNode("idle@b", processes=3, busy=1),
        PretendedNode("last@c", processes=1),
    ]


def sizes(nodes):
    return [node.processes for node in nodes]


def tell(target, size, group="ledger"):
    """Do as the controller does in a cycle; return what was told."""
    return target.apply(group, size, target.observe(group))


def test_the_smallest_node_grows_by_one(target, answering, three):
    with answering(*three):
        told = tell(target, 20)

    assert told == 9
    assert sizes(three) == [4, 3, 2]


def test_the_largest_node_with_an_idle_process_shrinks_by_one(target, answering, three):
    with answering(*three):
        told = tell(target, 1)

    assert told == 7
    assert sizes(three) == [4, 2, 1]
    assert "active" not in three[2].asked


def test_steps_down_end_with_one_process_in_each_node(target, answering, three):
    three[0].busy = three[1].busy = 0
    with answering(*three):
        told = [tell(target, 1) for _ in range(8)]

    assert told == [7, 6, 5, 4, 3, None, None, None]
    assert sizes(three) == [1, 1, 1]


def test_a_size_that_is_there_is_told_to_nobody(target, answering, three):
    with answering(*three):
        assert tell(target, 8) == 8

    assert not any("pool_" in command for node in three for command in node.asked)


def test_a_node_that_says_so_and_does_not_is_found_out(target, answering, clock):
    liar = PretendedNode("liar@a", processes=2)
    liar.lies = True
    with answering(liar):
        told = tell(target, 5)
        clock.now = 14.0
        waiting = target.observe("ledger")
        clock.now = 17.0
        found_out = target.observe("ledger")
        after = target.observe("ledger")

    assert told == 3
    assert (waiting.size, waiting.ready, waiting.notes) == (3, 2, [])
    assert (found_out.size, found_out.ready) == (2, 2)
    (note,) = found_out.notes
    assert note == "liar@a was told to have 3 processes, and has 2 after 15 s"
    assert after.notes == []


def test_a_node_that_does_not_say_is_not_told_twice(target, answering, clock):
    deaf = PretendedNode("deaf@a", processes=2)
    deaf.silent_to = ("pool_grow",)
    with answering(deaf):
        with pytest.raises(Unavailable, match="deaf@a does not answer"):
            tell(target, 5)
        clock.now = 5.0
        assert tell(target, 5) == 3

    assert deaf.asked.count("pool_grow") == 1


def test_a_refusal_is_told_with_its_reason(target, answering):
    node = PretendedNode("late@a", processes=3, busy=3)
    node.seen_busy = 2  # the third job came just after
    with answering(node):
        told = tell(target, 1)
        (note,) = target.observe("ledger").notes

    assert told is None
    assert note.startswith("late@a refused: ")
    assert "All processes busy" in note


def test_a_node_that_falls_silent_is_named_and_counts_for_a_while(
    target, answering, clock, three
):
    with answering(*three):
        target.observe("ledger")
        three[1].silent_to = ("stats", "active_queues")
        clock.now = 5.0
        silent = target.observe("ledger")
        clock.now = 36.0
        gone = target.observe("ledger")

    assert (silent.size, silent.ready) == (8, 5)
    assert silent.notes == ["no answer from idle@b"]
    assert (gone.size, gone.ready, gone.notes) == (5, 5, [])


def test_a_silent_node_is_told_nothing(target, answering, clock, three):
    with answering(*three):
        target.observe("ledger")
        three[2].silent_to = ("stats", "active_queues")
        clock.now = 5.0
        tell(target, 20)

    assert sizes(three) == [4, 4, 1]


def test_a_new_node_is_found_within_half_a_minute(target, answering, clock, three):
    with answering(three[0]):
        target.observe("ledger")
        with answering(three[1]):
            clock.now = 29.0
            before = target.observe("ledger")
            clock.now = 31.0
            after = target.observe("ledger")

    assert (before.size, after.size) == (4, 7)


def test_on_quorum_queues_a_node_grows_to_what_it_was_started_for(
    target, answering, clock
):
    """RabbitMQ gives it no more jobs at once, however many processes it has."""
    node = PretendedNode("rabbit@a", processes=3, kind="quorum")
    with answering(node):
        down = tell(target, 2)
        up = tell(target, 9)
        stuck = tell(target, 9)
        (note,) = target.observe("ledger").notes

    assert (down, up, stuck) == (2, 3, None)
    assert "larger --concurrency" in note


def test_a_node_of_every_queue_is_sized_for_the_first_group(target, answering):
    everything = PretendedNode(
        "all@a", processes=2, queues=("mail", "ledger", "maintenance", "webhooks")
    )
    mail = PretendedNode("mail@a", processes=1, queues=("webhooks", "mail"))
    with answering(everything, mail):
        assert target.observe("ledger").size == 2
        assert target.observe("outbound").size == 1


def test_all_groups_of_a_cycle_cost_a_node_one_question(target, answering, clock):
    ledger = PretendedNode("ledger@a", processes=1)
    mail = PretendedNode("mail@a", processes=1, queues=("mail",))
    with answering(ledger, mail):
        for _ in range(3):
            target.observe("ledger")
            target.observe("outbound")
            clock.now += 5.0

    assert ledger.asked == mail.asked == ["active_queues", *["stats"] * 3]


def test_what_a_node_tells_may_make_no_sense(target, answering):
    strange = PretendedNode("strange@a", processes=1)
    strange.stats = lambda _state: {"pool": "N/A"}
    with answering(strange), pytest.raises(Unavailable):
        target.observe("ledger")


def test_without_a_broker_nobody_is_asked():
    with pytest.raises(Unavailable, match="set REDIS_URL or RABBITMQ_URL"):
        CeleryTarget("").observe("ledger")


def test_a_broker_that_does_not_let_us_in_is_away(broker_url):
    parts = urlsplit(broker_url)
    stranger = parts._replace(netloc=f":stranger@{parts.hostname}:{parts.port}")
    with pytest.raises(Unavailable, match="the broker does not answer") as raised:
        CeleryTarget(stranger.geturl()).observe("ledger")

    assert "stranger" not in str(raised.value)


def test_questions_leave_nothing_on_the_broker(target, answering, broker_url, three):
    with Redis.from_url(broker_url) as client, answering(*three):
        before = set(client.scan_iter())
        tell(target, 20)
        after = set(client.scan_iter())

    assert after == before


def test_workers_are_asked_under_their_keys():
    assert celeryconfig.WORKER_TRANSPORT["global_keyprefix"] == KEY_PREFIX
