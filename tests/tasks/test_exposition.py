"""The figures of all workers of a host are told on one port, whoever of them ends."""

import errno
import os
import signal
import stat
import subprocess
import sys
from contextlib import ExitStack
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cli.processes import Program, end, free_port
from cli.worker import celery_worker
from domain.db import create_engine, session_factory
from domain.settings import Settings
from tasks import _exposition, ring
from tasks._figure_files import FigureFiles
from tasks._shared_folder import NotOurs, SharedFolder
from tests.databases import ROOT
from tests.factories import make_owner
from tests.tasks.lanes import Lane
from tests.waiting import eventually

POLLING = [sys.executable, "-m", "cli", "worker", "--poll"]
# A worker starts in a second, on a machine with nothing else to do.
WITHIN_SECONDS = 30
COUNT = """
import os, sys
os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]
from prometheus_client import Counter, Histogram
Counter("jobs", "Jobs", ["kind"]).labels("a").inc(int(sys.argv[2]))
Histogram("seconds", "Time", buckets=(1, 10)).observe(int(sys.argv[2]))
"""
# Whether the directory is there when a forked process has left, and when all have.
FORK = """
import os, pathlib, sys
from tasks._shared_folder import SharedFolder
folder = SharedFolder(pathlib.Path(sys.argv[1]))
child = os.fork()
if not child:
    folder.leave()
    os._exit(0)
os.waitpid(child, 0)
left = folder.path.exists()
folder.leave()
print(left, folder.path.exists(), end="")
"""


class Told:
    """A port on which a worker may tell figures."""

    def __init__(self, port):
        self.port = port

    def text(self):
        """Return what is told, nothing while nobody does."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                return answer.read().decode()
        except URLError:
            return ""

    def __call__(self, name, **labels):
        """Return the sum of a series over what has these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def applied(self):
        return self("coin_jobs_total", kind="ledger.post_operation")


@pytest.fixture
def told():
    return Told(free_port())


@pytest.fixture(scope="module")
def database_url(new_database):
    """A database of these tests' own: their workers touch every lane."""
    with new_database() as url:
        yield url


@pytest.fixture
def lane(database_url):
    engine = create_engine(Settings(database_url=database_url))
    yield Lane(session_factory(engine))
    engine.dispose()


@pytest.fixture
def folders(tmp_path):
    """Where the workers of a test keep what is temporary."""
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


@pytest.fixture
def run(tmp_path, told, folders, database_url, redis_url):
    """Start a worker; what still runs at the end is killed."""
    with ExitStack() as running:

        def run(command=POLLING, **environ):
            program = Program(
                role="worker",
                command=command,
                folder=ROOT,
                grace_seconds=WITHIN_SECONDS,
                environment={
                    "DATABASE_URL": database_url,
                    "REDIS_URL": redis_url,
                    "LOG_FORMAT": "json",
                    "METRICS_PORT_WORKERS": str(told.port),
                    "TMPDIR": os.fspath(folders),
                    **environ,
                },
            )
            log = running.enter_context((tmp_path / "worker.log").open("ab"))
            process = program.start(log)
            running.callback(kill, process)
            process.finish = lambda: end(program, process)
            return process

        yield run


def kill(process):
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def said(tmp_path):
    return (tmp_path / "worker.log").read_text


def write(lane, number):
    lane.submit(*(lane.write(make_owner()) for _ in range(number)))
    ring("ledger", lane.number)


def applied(told, number):
    eventually(lambda: told.applied() == number, within=WITHIN_SECONDS)


# A worker


def test_a_celery_worker_tells_what_its_processes_did(run, told, folders, lane):
    worker = run(celery_worker(concurrency=2))
    eventually(told.text, within=WITHIN_SECONDS)
    write(lane, 30)
    applied(told, 30)
    for child in psutil.Process(worker.pid).children():
        child.kill()
    write(lane, 12)

    # A doorbell that a killed process had taken is lost; the reconciler rings again.
    eventually(
        lambda: ring("ledger", lane.number) and told.applied() == 42,
        within=WITHIN_SECONDS,
    )
    (folder,) = folders.glob("coin-workers-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    worker.finish()
    assert worker.returncode == 0
    assert list(folders.glob("coin-workers-*")) == []


def test_a_polling_worker_tells_what_it_does(run, told, folders, lane):
    worker = run()
    write(lane, 5)

    applied(told, 5)
    assert told("coin_job_wait_seconds_count", queue="ledger") == 5
    worker.finish()
    assert worker.returncode == 0
    assert list(folders.glob("coin-workers-*")) == []


def test_without_a_port_nothing_is_kept_and_nobody_listens(run, folders, lane):
    worker = run(METRICS_PORT_WORKERS="0")
    write(lane, 5)
    eventually(lambda: lane.counts() == {"succeeded": 5}, within=WITHIN_SECONDS)

    assert list(folders.glob("coin-workers-*")) == []
    listening = psutil.Process(worker.pid).net_connections(kind="inet")
    assert [one for one in listening if one.status == psutil.CONN_LISTEN] == []


# Several


def test_when_the_worker_that_tells_ends_another_tells_what_it_did_too(
    run, told, said, lane
):
    first = run()
    write(lane, 5)
    applied(told, 5)
    run()
    eventually(lambda: "figures_told_by_another" in said(), within=WITHIN_SECONDS)
    kill(first)
    write(lane, 3)

    applied(told, 8)
    assert said().count("figures_told_by_another") == 1


def test_a_port_that_cannot_be_had_is_said_and_work_goes_on(run, said, lane):
    run(HOST="192.0.2.1")
    write(lane, 5)
    eventually(lambda: lane.counts() == {"succeeded": 5}, within=WITHIN_SECONDS)

    eventually(lambda: "figures_not_told" in said())


def test_a_directory_that_others_may_write_to_is_not_used(
    run, told, said, folders, lane
):
    (folders / f"coin-workers-{os.getuid()}-{told.port}").mkdir(mode=0o777)
    (folders / f"coin-workers-{os.getuid()}-{told.port}").chmod(0o777)
    run()
    write(lane, 5)
    eventually(lambda: lane.counts() == {"succeeded": 5}, within=WITHIN_SECONDS)

    assert "figures_not_kept" in said()
    assert told.text() == ""


def test_a_directory_that_is_given_is_used_and_stays(run, told, tmp_path, lane):
    given = tmp_path / "given" / "figures"
    worker = run(PROMETHEUS_MULTIPROC_DIR=os.fspath(given))
    write(lane, 5)
    applied(told, 5)
    worker.finish()

    assert list(given.glob("counter_*.db"))


# The directory


def test_the_last_to_leave_removes_the_directory(tmp_path):
    path = tmp_path / "shared"
    one, other = SharedFolder(path), SharedFolder(path)
    one.leave()
    while_held = path.exists()
    other.leave()

    assert (while_held, path.exists()) == (True, False)


def test_what_killed_programs_left_is_cleared_by_the_next(tmp_path):
    path = tmp_path / "shared"
    path.mkdir(mode=0o700)
    (path / "counter_1.db").write_text("old")
    folder = SharedFolder(path)
    (path / "counter_2.db").write_text("new")
    SharedFolder(path).leave()

    assert [file.name for file in path.iterdir()] == ["counter_2.db"]
    folder.leave()


def test_a_process_that_was_forked_does_not_remove_it(tmp_path):
    run = [sys.executable, "-c", FORK, tmp_path / "shared"]

    assert subprocess.check_output(run, cwd=ROOT, text=True) == "True False"


def test_a_link_to_elsewhere_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "shared").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="shared"):
        SharedFolder(tmp_path / "shared")


def test_a_directory_open_to_others_is_refused(tmp_path):
    path = tmp_path / "shared"
    path.mkdir()
    path.chmod(0o755)

    with pytest.raises(NotOurs, match="open to others"):
        SharedFolder(path)


# Many files


def count(folder, number):
    """Let a process count and end."""
    subprocess.run([sys.executable, "-c", COUNT, folder, str(number)], check=True)


def samples(files):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in files.collect()
        for sample in family.samples
    }


def test_files_of_processes_that_ended_become_one_and_say_the_same(tmp_path):
    files = FigureFiles(tmp_path)
    for number in (3, 5, 20):
        count(tmp_path, number)
    before = samples(files)
    files.fold()
    count(tmp_path, 100)
    files.fold()

    assert before["jobs_total", ("kind", "a")] == 28
    assert samples(files) == {
        **before,
        ("jobs_total", ("kind", "a")): 128,
        ("seconds_sum",): 128,
        ("seconds_count",): 4,
        ("seconds_bucket", ("le", "+Inf")): 4,
    }
    assert {file.name for file in tmp_path.iterdir()} == {
        "counter_gone.db",
        "histogram_gone.db",
    }


def test_files_of_processes_that_live_are_left_alone(tmp_path):
    count(tmp_path, 1)
    count(tmp_path, 2)
    (file, _) = tmp_path.glob("counter_*.db")
    own = file.rename(tmp_path / f"counter_{os.getpid()}.db")
    FigureFiles(tmp_path).fold()

    assert own.exists()
    assert samples(FigureFiles(tmp_path))["jobs_total", ("kind", "a")] == 3


def test_a_file_that_is_just_being_made_is_not_read(tmp_path):
    count(tmp_path, 1)
    (tmp_path / "counter_1.db").touch()

    assert samples(FigureFiles(tmp_path))["jobs_total", ("kind", "a")] == 1


def test_the_port_is_asked_for_again_until_it_is_free(monkeypatch, tmp_path):
    monkeypatch.setattr(_exposition, "_LOOK_SECONDS", 0.01)
    asked = []

    class Files(FigureFiles):
        def serve(self, port, _host):
            asked.append(port)
            if len(asked) < 3:
                raise OSError(errno.EADDRINUSE, "taken")

    assert _exposition._take(Files(tmp_path), 9_101)
    assert asked == [9_101] * 3
