import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from cli.output import Lines, Output
from cli.processes import Program
from cli.supervisor import CrashLoop, Interrupted, Supervisor

FOREVER = "import time; print('hello', flush=True); time.sleep(600)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + FOREVER


@pytest.fixture
def said():
    """Everything the supervisor printed so far, as a call."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    heard = []

    def read():
        try:
            while data := os.read(reader, 65536):
                heard.append(data)
        except BlockingIOError:
            pass
        return b"".join(heard).decode()

    read.descriptor = writer
    yield read
    os.close(reader)
    os.close(writer)


@pytest.fixture
def supervisor(said):
    kept = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    }
    made = Supervisor(Output(said.descriptor), changed=lambda: None)
    made.listen()
    yield made
    made.stop(list(made.children))
    for number, handler in kept.items():
        signal.signal(number, handler)


def program(role, code, **options):
    return Program(
        role=role,
        command=[sys.executable, "-c", code],
        folder=Path.cwd(),
        **{"grace_seconds": 5.0, **options},
    )


def test_a_childs_lines_come_out_under_its_role(supervisor, said):
    supervisor.start(program("web", FOREVER))
    assert supervisor.wait_until(lambda: "web        | hello\n" in said(), 10)


def test_a_killed_child_is_started_again(supervisor, said):
    supervisor.start(program("web", FOREVER))
    kill_and_wait(supervisor, "web")
    assert "web was killed by SIGKILL; starting it again in" in said()


def test_a_child_that_is_killed_often_is_back_as_soon_as_ever(supervisor, said):
    supervisor.start(program("web", FOREVER))
    for _ in range(6):
        kill_and_wait(supervisor, "web")
    assert max(waits(supervisor, said)) <= 0.5


def test_a_child_that_ends_as_it_was_told_is_no_crash(supervisor, said):
    """A worker's answer to SIGTERM is to finish what it has in hand, and status 0."""
    supervisor.start(program("worker", "pass"))

    assert supervisor.wait_until(
        lambda: said().count("worker ended with status 0") > 5, 30
    )
    assert max(waits(supervisor, said)) <= 0.5


def test_a_child_that_crashes_waits_longer_each_time(supervisor, said, monkeypatch):
    monkeypatch.setattr("cli.supervisor.random.uniform", lambda _low, high: high)
    monkeypatch.setattr("cli.supervisor._BACKOFF_SECONDS", 0.1)
    supervisor.start(program("beat", "raise SystemExit(3)"))
    with pytest.raises(CrashLoop):
        supervisor.wait_until(lambda: False, 30)
    assert waits(supervisor, said) == [0.2, 0.4, 0.8, 1.6]


def test_a_child_that_crashes_at_once_ends_the_stack(supervisor, said, monkeypatch):
    monkeypatch.setattr("cli.supervisor._BACKOFF_SECONDS", 0.01)
    supervisor.start(program("beat", "print('no such queue'); raise SystemExit(3)"))
    with pytest.raises(CrashLoop, match="beat ended with status 3, 5 times"):
        supervisor.wait_until(lambda: False, 30)
    supervisor.output.flush()
    assert said().count("beat       | no such queue") == 5


PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {FOREVER!r}])
print("child", child.pid, flush=True)
child.wait()
"""


def test_what_a_child_started_goes_with_it(supervisor, said):
    supervisor.start(program("web", PARENT))
    assert supervisor.wait_until(lambda: "child " in said(), 10)
    grandchild = int(said().split("child ")[1].split()[0])
    os.kill(supervisor.pids()["web"], signal.SIGKILL)
    assert supervisor.wait_until(lambda: not running(grandchild), 10)


def test_what_a_pool_started_may_finish_and_is_gone_at_the_end(supervisor, said):
    supervisor.start(program("workers", PARENT, spares_its_own=True))
    assert supervisor.wait_until(lambda: "child " in said(), 10)
    grandchild = int(said().split("child ")[1].split()[0])
    kill_and_wait(supervisor, "workers")
    assert running(grandchild)
    supervisor.stop(["workers"])
    wait_until_gone(grandchild)


TALKER = (
    "import time; time.sleep(0.5); print('still here', flush=True); time.sleep(600)"
)
PARENT_OF_TALKER = PARENT.replace(repr(FOREVER), repr(TALKER))


def test_what_a_pool_started_is_heard_when_the_pool_is_gone(supervisor, said):
    """Who prints to nobody fails, and its job with it."""
    supervisor.start(program("workers", PARENT_OF_TALKER, spares_its_own=True))
    assert supervisor.wait_until(lambda: "child " in said(), 10)
    spared = int(said().split("child ")[1].split()[0])
    # The next pool must not say it in its place.
    child = supervisor.children["workers"]
    child.program = program("workers", FOREVER, spares_its_own=True)
    kill_and_wait(supervisor, "workers")
    assert supervisor.wait_until(lambda: "workers    | still here" in said(), 10)
    assert running(spared)
    supervisor.stop(["workers"])
    wait_until_gone(spared)


def test_a_deaf_child_is_killed_when_its_grace_is_over(supervisor, said):
    supervisor.start(program("worker", DEAF, grace_seconds=0.3))
    assert supervisor.wait_until(lambda: "hello" in said(), 10)
    began = time.monotonic()
    supervisor.stop(["worker"])
    assert 0.3 <= time.monotonic() - began < 5
    assert supervisor.pids() == {}


def test_a_second_ctrl_c_does_not_wait_for_the_grace(supervisor, said):
    supervisor.start(program("worker", DEAF, grace_seconds=60))
    assert supervisor.wait_until(lambda: "hello" in said(), 10)
    os.kill(os.getpid(), signal.SIGINT)
    supervisor.run()
    second = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    second.start()
    began = time.monotonic()
    supervisor.stop(["worker"])
    second.join()
    assert time.monotonic() - began < 10


def test_children_stop_in_the_order_given(supervisor, said):
    polite = (
        "import signal, sys, time\n"
        "def leave(*_): print('left', flush=True); sys.exit()\n"
        "signal.signal(signal.SIGTERM, leave)\n" + FOREVER
    )
    for role in ("redis", "worker", "web"):
        supervisor.start(program(role, polite))
    assert supervisor.wait_until(lambda: said().count("hello") == 3, 10)
    supervisor.stop(["web", "worker", "redis"])
    left = [line.split()[0] for line in said().splitlines() if "left" in line]
    assert left == ["web", "worker", "redis"]


def test_ctrl_c_during_the_start_ends_the_wait(supervisor):
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted):
        supervisor.wait_until(lambda: False, 30)


def test_sigusr1_prints_every_process(supervisor, said):
    supervisor.start(program("web", FOREVER))
    os.kill(os.getpid(), signal.SIGUSR1)
    expected = f"web        {supervisor.pids()['web']!s:>8}  running"
    assert supervisor.wait_until(lambda: expected in said(), 10)


def test_a_reader_that_stops_reading_does_not_stop_the_stack(supervisor, said):
    flood = "print('x' * 1000, flush=True)\n" * 3 + "import time\n"
    flood += "for _ in range(20000): print('y' * 200)\n" + FOREVER
    supervisor.start(program("web", flood))
    # Nobody reads `said` meanwhile, and its pipe holds 64 kB of these 4 MB.
    last = supervisor.children["web"]
    assert supervisor.wait_until(
        lambda: any(b"hello" in line for line in last_lines(supervisor)), 20
    )
    assert last.state == "running"


def test_a_reader_that_is_gone_does_not_stop_the_stack():
    reader, writer = os.pipe()
    os.close(reader)
    output = Output(writer)
    output.line("hello?")
    output.line("is anybody there?")
    os.close(writer)


def test_lines_are_cut_wherever_the_bytes_are():
    lines = Lines()
    assert lines.feed(b"one\ntw") == [b"one"]
    assert lines.feed(b"o\n\nthree") == [b"two"]
    assert lines.feed(b"") == [b"three"]
    assert len(lines.feed(b"z" * 100_000)) == 1, "no line grows without bound"


def waits(supervisor, said):
    """Return how long it said it would wait, each time."""
    supervisor.output.flush()
    return [float(one) for one in re.findall(r"again in ([\d.]+) s", said())]


def kill_and_wait(supervisor, role):
    killed = supervisor.pids()[role]
    os.kill(killed, signal.SIGKILL)
    assert supervisor.wait_until(
        lambda: supervisor.pids().get(role, killed) != killed, 10
    )


def last_lines(supervisor):
    return list(supervisor.output._lines)[-5:]  # what nobody has read


def wait_until_gone(pid):
    deadline = time.monotonic() + 10
    while running(pid):
        assert time.monotonic() < deadline, "it stays"
        time.sleep(0.01)


def running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
