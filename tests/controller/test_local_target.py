"""The target on this host: a real pool, no pool, and what only looks like one."""

import socket
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.targets import Target, Unavailable, local
from controller.targets.local import LocalTarget
from tests.tasks.pools import RunningPool
from tests.waiting import eventually


@pytest.fixture(scope="module")
def folder():
    """A folder whose path is short, as a socket's must be."""
    with tempfile.TemporaryDirectory(prefix="coin-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def pool(folder):
    """A pool of toys: one of the calm, and none of the deaf or of those that crash."""
    path = folder / "pool"
    pool = RunningPool(path, ["tests.tasks.pools", str(path)], folder / "log")
    try:
        pool.wait()
        yield pool
    finally:
        pool.kill()


@pytest.fixture
def target(pool):
    target: Target = LocalTarget(pool.path)
    yield target
    target.close()


def test_it_tells_a_size_and_sees_what_came_of_it(target):
    before = target.observe("calm")
    told = target.apply("calm", 3, before)
    eventually(lambda: target.observe("calm").ready == 3)
    after = target.observe("calm")
    target.apply("calm", 1, after)

    assert (before.size, before.ready, told) == (1, 1, 3)
    assert (after.size, after.owned_by, list(after.notes)) == (3, None, [])
    assert (target.observe("calm").size, target.observe("calm").ready) == (1, 1)


def test_who_is_ending_counts_no_more_and_is_told_of_after_a_while(target, monkeypatch):
    target.apply("deaf", 1, target.observe("deaf"))
    eventually(lambda: target.observe("deaf").ready == 1)
    target.apply("deaf", 0, target.observe("deaf"))

    assert (target.observe("deaf").ready, list(target.observe("deaf").notes)) == (0, [])
    monkeypatch.setattr(local, "_LONG_SECONDS", 0.6)
    (note,) = eventually(lambda: target.observe("deaf").notes)
    assert note.startswith("deaf-1 (pid ")
    assert note.endswith(") has been ending for 1 s")


def test_a_group_that_crashes_is_told_of(target):
    target.apply("crash", 1, target.observe("crash"))
    observed = eventually(lambda: (o := target.observe("crash")).notes and o)
    target.apply("crash", 0, observed)

    assert (observed.size, observed.ready) == (1, 0)
    (note,) = observed.notes
    assert note.startswith("crash crashed ")
    assert " ended with status 1 after 0." in note


def test_what_the_pool_refuses_is_said(target):
    with pytest.raises(Unavailable, match="a size is a number from 0 to 100"):
        target.apply("calm", 101, target.observe("calm"))
    with pytest.raises(Unavailable, match="no group 'clerks'"):
        target.apply("clerks", 1, target.observe("calm"))
    with pytest.raises(Unavailable, match="tells nothing of clerks"):
        target.observe("clerks")


def test_where_nobody_listens_it_says_what_to_do(folder, pool):
    for path in (folder / "nobody", Path(f"{pool.path}.lock"), folder / ("x" * 200)):
        with pytest.raises(Unavailable, match="start `coin up` or `python -m tasks po"):
            LocalTarget(str(path)).observe("calm")


@contextmanager
def stranger(folder, answer):
    """Listen as a pool does, and answer something else."""
    path = folder / f"stranger-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        done = threading.Event()

        def serve():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1_000)
                answer(connection, done)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield LocalTarget(str(path))
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize(
    "said",
    [
        *(
            b"",
            b"hello\n",
            b"[1]\n",
            b'"groups"\n',
            b"\xff\n",
            b"{}\n",
            b'{"groups": 1}',
        ),
        *(b'{"groups": {"calm": {}}}\n', b'{"groups": {"calm": {"members": [1]}}}\n'),
    ],
)
def test_what_is_no_pool_is_not_believed(folder, said):
    with (
        stranger(folder, lambda connection, _done: connection.sendall(said)) as target,
        pytest.raises(Unavailable, match="WORKERS_SOCKET"),
    ):
        target.observe("calm")


def test_who_answers_for_ever_or_never_is_not_waited_for(folder, monkeypatch):
    monkeypatch.setattr(local, "_SECONDS", 0.3)

    def drip(connection, done):
        while not done.wait(0.05):
            connection.sendall(b" ")

    for answer in (drip, lambda _connection, done: done.wait()):
        began = time.monotonic()
        with (
            stranger(folder, answer) as target,
            pytest.raises(Unavailable, match="timed out"),
        ):
            target.observe("calm")
        assert time.monotonic() - began < 2
