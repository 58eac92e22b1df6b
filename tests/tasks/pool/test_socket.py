"""What is said on the pool's socket, where it listens, and who may not start."""

import json
import selectors
import signal
import stat
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

import celeryconfig
from tasks.__main__ import main
from tasks._pool.listening import Listener, Refused
from tasks._pool.members import MEMBERS_MAX, Members, Places
from tests.databases import administer
from tests.tasks.pools import (
    END_SECONDS,
    REAL,
    START_SECONDS,
    TOYS,
    connect,
    exchange,
    gone,
    pids,
)
from tests.waiting import eventually

# What is said on the socket


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ('{"sizes": {"clerks": 2}}', "no group 'clerks': there are ledger, outbound"),
        ('{"sizes": {"ledger": -1}}', "ledger: a size is a number from 0 to 100"),
        ('{"sizes": {"ledger": 101}}', "ledger: a size is a number from 0 to 100"),
        ('{"sizes": {"ledger": 1.5}}', "ledger: a size is a number from 0 to 100"),
        ('{"sizes": {"ledger": true}}', "ledger: a size is a number from 0 to 100"),
        (
            '{"sizes": {"outbound": 2, "ledger": null}}',
            "ledger: a size is a number from 0 to 100",
        ),
        ('{"sizes": [1]}', 'say {} to ask, or {"sizes": {"ledger": 3}} to tell'),
        ('{"stop": true}', 'say {} to ask, or {"sizes": {"ledger": 3}} to tell'),
        ("[]", 'say {} to ask, or {"sizes": {"ledger": 3}} to tell'),
        ("ledger=2", "not a line of JSON"),
        ("[" * 50_000, "not a line of JSON"),
        ("\udcff", "not a line of JSON"),
    ],
)
def test_what_it_cannot_do_is_said_and_changes_nothing(pool, words, error):
    before = [pids(pool.members(group)) for group in ("ledger", "outbound")]
    line = words.encode(errors="surrogateescape") + b"\n"

    assert json.loads(exchange(pool.path, line)) == {"error": error}
    after = [pids(pool.members(group)) for group in ("ledger", "outbound")]
    assert after == before


def test_only_its_owner_may_open_the_socket(pool):
    assert stat.S_IMODE(Path(pool.path).stat().st_mode) == 0o600


def test_whoever_is_silent_or_slow_holds_nobody_up_and_is_hung_up_on(toys):
    with connect(toys.path) as silent, connect(toys.path) as slow:
        slow.sendall(b"{")
        began = time.monotonic()
        assert toys.ask()["pid"] == toys.process.pid
        assert time.monotonic() - began < 1.5, "it waited for neither"
        assert silent.recv(1) == slow.recv(1) == b""


def test_who_says_too_much_is_hung_up_on(toys):
    with connect(toys.path) as connection, pytest.raises(ConnectionError):
        connection.sendall(b"x" * 4_000_000)


def test_those_who_come_in_numbers_are_not_held_for_ever(toys):
    many = [connect(toys.path) for _ in range(40)]
    try:
        assert toys.ask()["pid"] == toys.process.pid
    finally:
        for one in many:
            one.close()


# Who does not end, and who does not start


def test_who_does_not_end_is_told_of_and_not_killed(toys):
    toys.ask(deaf=1)
    (deaf,) = pids(toys.wait_for("deaf"))
    toys.ask(deaf=0)
    toys.ask(deaf=1)
    (new,) = pids(toys.members("deaf"))
    (ending,) = toys.ending("deaf")
    later = eventually(
        lambda: [one for one in toys.ending("deaf") if one["ending_for"] > 0.5]
    )

    assert (pids(later), new != deaf) == ([deaf], True)
    assert ending["ready"]
    assert psutil.Process(deaf).is_running()


def test_told_once_more_it_ends_at_once_with_all_its_own(run):
    toys = run(*TOYS)
    toys.wait()
    toys.ask(deaf=2)
    toys.wait_for("deaf")
    everyone = toys.everyone()
    toys.process.terminate()
    eventually(lambda: not Path(toys.path).exists())
    toys.process.terminate()

    assert toys.process.wait(END_SECONDS) == 0
    assert all(map(gone, everyone))


def test_a_group_that_crashes_is_tried_again_ever_later(toys):
    toys.ask(crash=1)
    eventually(lambda: toys.ask()["groups"]["crash"]["crashes"] == 3, within=20)
    found = toys.ask()["groups"]["crash"]

    assert "ended with status 1 after 0." in found["last_exit"]
    assert 0 < found["again_in"] <= 4
    assert "toy: I cannot start" in toys.said
    assert len(toys.members("calm")) == 1, "others are not disturbed"
    toys.ask(crash=0)


def test_a_host_that_cannot_fork_is_tried_again_ever_later():
    def fork(_name, _place):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    group = Members("ledger", 2, Places(), fork)
    waits = []
    for now in (100.0, 102.0, 105.0, 112.0):
        group.tend(now)
        waits.append(group.wait(now))

    assert all(m / 2 <= w <= m for w, m in zip(waits, (1, 2, 4, 8), strict=True))
    assert group.told(112.0)["crashes"] == 4
    assert "ledger-1 could not be forked: " in group.told(112.0)["last_exit"]
    assert group.told(140.0)["crashes"] == 0, "that was long ago"


@pytest.mark.parametrize("code", [0, -signal.SIGKILL])
def test_who_ends_as_soon_as_it_begins_is_no_longer_forked_at_once(code):
    """Out of memory, say, or nothing to do: fork after fork would be for ever."""
    group, waits, now = Members("ledger", 1, Places(), lambda *_: 7), [], 100.0
    for _ in range(5):
        group.tend(now)
        now += 0.1
        group.bury(7, code, now)
        waits.append(group.wait(now) or 0.0)
        now += waits[-1]

    assert waits[0] == 0, "one may be somebody's decision"
    assert all(m / 2 <= w <= m for w, m in zip(waits[1:], (1, 2, 4, 8), strict=True))


def test_who_is_killed_after_a_while_is_replaced_at_once_each_time():
    group, now = Members("ledger", 1, Places(), lambda *_: 7), 100.0
    for _ in range(3):
        group.tend(now)
        now += 11
        group.bury(7, -signal.SIGKILL, now)

        assert group.wait(now) is None
        assert group.told(now)["crashes"] == 0


def test_there_are_never_more_than_there_is_room_for():
    groups = [Members("ledger", 200, places := Places(), lambda *_: 0)]
    groups.append(Members("outbound", 100, places, lambda *_: 0))
    for _ in range(2):
        for group in groups:
            group.tend(1.0)

    assert [len(group.members) for group in groups] == [200, MEMBERS_MAX - 200]
    assert [group.wait(1.0) for group in groups] == [None, None], "nobody spins"


# Where it listens


def test_two_pools_do_not_share_a_socket(toys, run):
    second = run(*TOYS, at=toys.path)

    assert second.process.wait(START_SECONDS) != 0
    assert f"process {toys.process.pid} is the pool at {toys.path}" in second.said
    assert toys.ask()["pid"] == toys.process.pid


def refused(path):
    """Return why a pool cannot listen at a path."""
    with selectors.DefaultSelector() as selector, pytest.raises(Refused) as raised:
        Listener(path, selector, bytes.upper)
    return str(raised.value)


def test_a_path_it_cannot_listen_at_is_refused(folder):
    letter = folder / "letter"
    letter.write_text("dear")

    assert refused(letter) == f"{letter} is no socket; choose another place"
    assert "choose a shorter path" in refused(folder / ("x" * 100))
    assert "No such file" in refused(folder / "away" / "pool")
    assert letter.read_text() == "dear"


@pytest.mark.parametrize("size", ["clerks=1", "ledger", "ledger=-1", "ledger=101"])
def test_a_size_it_does_not_understand_is_refused(size):
    answer = CliRunner().invoke(main, ["pool", f"--group={size}"])

    assert answer.exit_code == 2
    assert "say such as ledger=2; groups are ledger, outbound" in answer.output


def test_without_a_broker_its_workers_must_poll(monkeypatch):
    monkeypatch.setattr(celeryconfig, "broker_url", None)
    answer = CliRunner().invoke(main, ["pool"])

    assert answer.exit_code == 2
    assert "set REDIS_URL or RABBITMQ_URL, or say --poll" in answer.output


def test_it_refuses_to_start_where_operations_differ(run, new_database):
    with new_database() as url:
        administer(url, "UPDATE operations SET amount = 7 WHERE amount = 10")
        pool = run(*REAL, DATABASE_URL=url)
        assert pool.process.wait(START_SECONDS) == 1

    assert "CREDIT_ADD is 7 in the database" in pool.said.splitlines()[-1]
