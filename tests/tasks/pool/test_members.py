"""The pool's members: forked, busy, told to end, killed, none of them left."""

import os
import selectors
import signal
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.targets import Unavailable
from tasks import ring
from tasks._pool.choosing import chosen_to_end, longest_wait
from tasks._pool.listening import Listener
from tests.factories import make_owner
from tests.tasks.lanes import Lane
from tests.tasks.pools import (
    DONE_SECONDS,
    END_SECONDS,
    REAL,
    START_SECONDS,
    gone,
    pids,
)
from tests.waiting import eventually

# How many there are


def test_it_grows_at_once_and_whoever_is_new_works(pool, sessions, blocked):
    """One is held by a job that waits; the other is new, and takes the next lane."""
    owner, waited_for, let_go = blocked
    held = Lane(sessions)
    held.submit(held.write(owner))
    ring("ledger", held.number)
    eventually(waited_for, within=DONE_SECONDS)

    told = pool.ask(ledger=2)["groups"]["ledger"]["members"]
    assert len(told) == 2, "forked before it answers"
    other = Lane(sessions)
    other.submit(other.write(make_owner()))
    ring("ledger", other.number)
    eventually(lambda: other.states() == ["succeeded"], within=DONE_SECONDS)
    assert held.states() == ["queued"]

    let_go()
    eventually(lambda: held.states() == ["succeeded"], within=DONE_SECONDS)
    pool.ask(ledger=1)
    pool.wait_for("ledger")


def test_the_idle_and_newest_end_and_who_is_busy_finishes(
    pool, sessions, lane, blocked
):
    owner, waited_for, let_go = blocked
    pool.ask(ledger=3)
    oldest, second, newest = pids(pool.wait_for("ledger"))
    pool.wait_until_quiet("ledger")
    lane.submit(lane.write(owner))
    ring("ledger", lane.number)
    eventually(waited_for, within=DONE_SECONDS)
    (working,) = pids(eventually(lambda: pool.busy("ledger")))

    pool.ask(ledger=2)
    idle = [pid for pid in (oldest, second, newest) if pid != working]
    assert pids(pool.ending("ledger")) == [idle[-1]]
    pool.ask(ledger=1)
    assert pids(pool.members("ledger")) == [working]
    pool.ask(ledger=0)
    eventually(lambda: pids(pool.ending("ledger")) == [working], within=DONE_SECONDS)
    assert lane.states() == ["queued"]

    pool.ask(ledger=1)
    (new,) = pids(pool.members("ledger"))
    assert new not in (oldest, second, newest), "who is ending is not asked to stay"
    let_go()
    pool.wait_for("ledger")
    (row,) = lane.rows()
    assert (row.state, row.attempts) == ("succeeded", 1)


def test_mail_on_its_way_is_sent_once_though_its_worker_was_told_to_end(pool, mailed):
    pool.wait_until_quiet("outbound")
    with mailed() as mail:
        working = eventually(lambda: pool.busy("outbound"), within=DONE_SECONDS)
        pool.ask(outbound=0)
        assert pids(pool.ending("outbound")) == pids(working)
        pool.ask(outbound=1)
    pool.wait_for("outbound")

    assert mail() == ("succeeded", 1, 1)


def test_what_is_told_twice_is_done_once(pool):
    first = pids(pool.ask(ledger=2)["groups"]["ledger"]["members"])
    second = pids(pool.ask(ledger=2)["groups"]["ledger"]["members"])
    pool.ask(ledger=1)
    pool.wait_for("ledger")

    assert first == second
    assert len(first) == 2


def test_who_is_killed_is_replaced_and_buried(run, folder):
    pool = run(*REAL, f"--beat={folder / 'schedule'}")
    pool.wait()
    for group in ("ledger", "outbound", "beat"):
        (before,) = pids(pool.wait_for(group))
        os.kill(before, signal.SIGKILL)
        eventually(
            lambda g=group, b=before: pids(pool.members(g)) not in ([], [b]),
            within=START_SECONDS,
        )
        pool.wait_for(group)
        assert "was killed by SIGKILL" in pool.ask()["groups"][group]["last_exit"]
        assert pool.ask()["groups"][group]["crashes"] == 0

    with pytest.raises(Unavailable, match="no group 'beat'"):
        pool.ask(beat=2)
    assert psutil.STATUS_ZOMBIE not in [one.status() for one in pool.everyone()]


def test_who_has_ended_leaves_no_file_behind(pool, temporary):
    """Celery's prefork pool has a folder, which it takes away as it ends."""
    pool.wait_for("ledger")
    before = sorted(temporary.iterdir())
    pool.ask(ledger=2)
    pool.wait_for("ledger")
    pool.ask(ledger=1)
    pool.wait_for("ledger")

    assert sorted(temporary.iterdir()) == before


def test_the_pool_itself_has_one_thread(pool):
    """A fork among threads may deadlock."""
    assert psutil.Process(pool.process.pid).num_threads() == 1


def test_it_tells_who_its_members_are(pool):
    (one,) = pool.wait_for("ledger")
    age = datetime.now(UTC) - datetime.fromisoformat(one["started_at"])

    assert one["name"].startswith("ledger-")
    assert f"celeryd: {one['name']}-" in " ".join(psutil.Process(one["pid"]).cmdline())
    assert psutil.Process(one["pid"]).ppid() == pool.process.pid == pool.ask()["pid"]
    assert one["age"] == pytest.approx(age.total_seconds(), abs=1.0)
    assert (one["busy"], one["ready"], one["ending_for"]) == (0, True, None)


# Its end


def test_killed_it_leaves_nobody_and_loses_nothing(alone, run, lane, blocked, mailed):
    """Its workers finish what they have in hand, and another pool need not wait."""
    owner, waited_for, let_go = blocked
    pool = run(*REAL)
    pool.wait()
    pool.wait_until_quiet("outbound")
    lane.submit(*(lane.write(owner) for _ in range(10)))
    with mailed() as mail:
        ring("ledger", lane.number)
        eventually(waited_for, within=DONE_SECONDS)
        eventually(lambda: pool.busy("outbound"), within=DONE_SECONDS)
        everyone = pool.everyone()
        working = [psutil.Process(pid) for pid in pids(pool.members("ledger"))]
        working += [psutil.Process(pid) for pid in pids(pool.members("outbound"))]
        pool.process.kill()
        pool.process.wait()
        with selectors.DefaultSelector() as selector:
            Listener(Path(pool.path), selector, bytes.upper).close()
        assert not any(map(gone, working)), "they are not done yet"
        let_go()
    eventually(lambda: all(map(gone, everyone)), within=END_SECONDS)

    assert {(row.state, row.attempts) for row in lane.rows()} == {("succeeded", 1)}
    assert mail() == ("succeeded", 1, 1)


def test_polling_workers_of_each_group_do_their_work(alone, run, lane, mailed):
    """A mail that is on its way holds up nobody's credits."""
    pool = run(*REAL, "--poll", REDIS_URL="")
    pool.wait()
    lane.submit(lane.write(make_owner()))
    with mailed() as mail:
        eventually(lambda: pool.busy("outbound"), within=DONE_SECONDS)
        eventually(lambda: lane.states() == ["succeeded"], within=DONE_SECONDS)
        pool.ask(ledger=3, outbound=0)
        pool.wait_for("ledger")
        assert len(pool.ending("outbound")) == 1
    pool.wait_for("outbound")
    everyone = pool.everyone()
    pool.process.terminate()

    assert mail() == ("succeeded", 1, 1)
    assert pool.process.wait(END_SECONDS) == 0
    assert all(map(gone, everyone))


# Who ends first


class Candidate:
    def __init__(self, busy, number):
        self.busy, self.number = busy, number

    def __repr__(self):
        return f"{self.number}: {self.busy}"


members = st.lists(st.integers(0, 4)).map(
    lambda counts: [Candidate(busy, number) for number, busy in enumerate(counts)]
)


@given(members, st.integers(-2, 40), st.randoms())
def test_nobody_ends_for_whom_another_should(found, count, chance):
    """Whatever their order: who ends has less in hand, or as much and is newer."""
    chance.shuffle(found)
    chosen = chosen_to_end(found, count)
    staying = [one for one in found if one not in chosen]

    assert len(chosen) == max(0, min(count, len(found)))
    assert all(
        (one.busy, -one.number) < (other.busy, -other.number)
        for one in chosen
        for other in staying
    )


@given(st.integers(0, 10_000))
def test_a_wait_grows_and_is_never_long(crashes):
    assert longest_wait(crashes) <= longest_wait(crashes + 1) <= 10
    assert longest_wait(crashes + 1) == min(10, 2 * longest_wait(crashes))
