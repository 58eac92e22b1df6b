import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import cli
from cli.processes import free_port

ROOT = Path(cli.__file__).parent.parent
ROLES = {"postgres", "redis", "web", "workers", "controller", "flower"}


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def gone(processes):
    def dead(process):
        try:
            return process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return all(dead(process) for process in processes)


def test_ready_is_said_once_and_true(stack):
    lines = [line for line in stack.said.splitlines() if line.startswith("ready ")]
    assert lines == [f"ready {stack.endpoints['api']}"]
    status, written = stack.sign_up("ready-alice")
    assert (status, written["balance"]) == (201, 3)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_printed_lines_work_when_pasted(stack):
    lines = [line for line in stack.said.splitlines() if line.startswith("  curl ")]
    answers = [
        json.loads(
            subprocess.run(
                ["sh", "-c", line], capture_output=True, check=True, timeout=30
            ).stdout
        )
        for line in lines
    ]
    signed_up, balance, trial = answers
    assert signed_up["transfer"]["operation"] == "SIGNUP_CREDIT"
    assert balance["owner_id"] == "alice"
    assert balance["balance"] == 3
    assert trial["sum"] == 0


def test_endpoints_name_everything_and_are_private(stack):
    found = stack.endpoints
    assert found["observer"] is None
    assert set(found) == {
        *("api", "database", "redis", "flower", "observer", "workers"),
        *("key", "keys", "pids"),
    }
    assert found["keys"]["commons"] == found["key"]
    assert set(found["pids"]) == ROLES
    assert all(psutil.pid_exists(pid) for pid in found["pids"].values())
    mode = (stack.data / "endpoints.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_accepting_comes_before_applying(stack):
    web, worker = (
        psutil.Process(pid)
        for pid in (stack.endpoints["pids"]["web"], *stack.members("ledger"))
    )
    assert worker.nice() > web.nice()


def test_the_content_key_acts_in_its_application(stack):
    key = stack.endpoints["keys"]["content"]
    _, trial = stack.ask("/ledger/trial-balance", key=key)
    assert trial["application"] == "content"


def test_flower_shows_the_worker(stack):
    wait_until(lambda: len(stack.ask("/api/workers", at="flower")[1]) > 1)
    _, workers = stack.ask("/api/workers", at="flower")
    assert sorted(name.split("-")[0] for name in workers) == ["ledger", "outbound"]


def test_its_processes_are_listed_at_the_start_and_on_request(stack):
    def listed():
        return stack.said.count("\n  postgres")

    for role, pid in stack.endpoints["pids"].items():
        assert f"  {role:<11}{pid!s:>8}  running" in stack.said
    before = listed()
    stack.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: listed() == before + 1)


def test_doctor_finds_nothing_wrong_with_it(stack):
    # In a process of its own: Celery reads the environment once.
    answer = subprocess.run(
        [sys.executable, "-m", "cli", "doctor", "--data", stack.data],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stdout
    assert not [line for line in answer.stdout.splitlines() if line[:2] != "ok"]


def test_other_commands_find_its_database(stack, coin):
    listed = coin("keys", "list", "--data", stack.data)
    assert stack.endpoints["key"].split("_")[1] in listed.stdout


def test_a_second_one_in_the_same_directory_is_refused(stack):
    second = subprocess.run(
        [sys.executable, "-m", "cli", "up", "--port", "0", "--data", stack.data],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert second.returncode == 1
    assert f"is in use by process {stack.process.pid}" in second.stderr
    assert stack.endpoints["api"], "the first one is still there"


def test_a_killed_worker_is_replaced_and_writes_go_on(stack):
    (killed,) = stack.members("ledger")
    os.kill(killed, signal.SIGKILL)
    status, _ = stack.sign_up("survivor")
    assert status in (201, 202)
    wait_until(lambda: stack.members("ledger") not in ([], [killed]))
    wait_until(lambda: stack.ask("/ledger/survivor")[1]["balance"] == 3)


def test_a_killed_pool_is_replaced_and_none_of_its_workers_stays(stack):
    killed = stack.endpoints["pids"]["workers"]
    orphans = psutil.Process(killed).children(recursive=True)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: stack.endpoints["pids"].get("workers", killed) != killed)
    wait_until(lambda: gone(orphans))
    assert stack.sign_up("also-survivor")[0] in (201, 202)
    wait_until(lambda: stack.ask("/ledger/also-survivor")[1]["balance"] == 3)


def test_its_controller_sizes_its_pool_and_flower_shows_it(stack, coin):
    """What is ordered is decided, told, forked and heard of."""

    def flower():
        names = stack.ask("/api/workers?refresh=1", at="flower")[1]
        return sum(name.startswith("ledger-") for name in names)

    def order(size):
        said = coin("controller", "set", f"ledger={size}", "--data", stack.data)
        assert said.exit_code == 0, said.output
        wait_until(lambda: len(stack.members("ledger")) == size)

    order(2)
    wait_until(lambda: flower() >= 2)
    status = coin("controller", "status", "--json", "--data", stack.data)
    order(1)
    coin("controller", "release", "--data", stack.data)

    ledger = json.loads(status.stdout)["groups"][0]["decision"]
    assert (ledger["mode"], ledger["desired"]) == ("ordered", 2)


def test_a_port_in_use_is_refused_before_anything_starts(coin, folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = coin("up", "--port", port, "--data", folder / "data")
    assert answer.exit_code == 1
    assert "--port 0" in answer.output
    assert not (folder / "data").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_no_process_and_no_endpoints(running_stack, folder, number):
    with running_stack(folder / "data", "--no-flower") as stack:
        assert stack.endpoints["flower"] is None
        everyone = stack.everyone()
        assert len(everyone) > 5
        assert stack.stop(number) == 0
    assert gone(everyone)
    assert not (folder / "data/endpoints.json").exists()
    asked = ["web", "workers", "redis", "postgres"]
    stopped = [stack.said.rindex(f"\n{role}") for role in asked]
    assert stopped == sorted(stopped), "each speaks last in its turn"


@pytest.mark.long
def test_nothing_outlives_a_killed_supervisor_and_the_next_run_goes_on(
    running_stack, folder
):
    data = folder / "data"
    with running_stack(data, "--no-flower") as stack:
        stack.sign_up("alice")
        key, everyone = stack.endpoints["key"], stack.everyone()
        stack.stop(signal.SIGKILL)
        wait_until(lambda: gone(everyone))
    with running_stack(data, "--no-flower") as stack:
        assert stack.endpoints["key"] == key
        assert stack.ask("/ledger/alice")[1]["balance"] == 3


@pytest.mark.long
def test_servers_of_your_own_are_used_and_left_running(
    running_stack, folder, bare_database, own_redis
):
    with running_stack(
        folder / "data",
        "--no-flower",
        DATABASE_URL=bare_database,
        REDIS_URL=own_redis,
    ) as stack:
        assert stack.endpoints["database"] == bare_database
        assert stack.endpoints["redis"] == own_redis
        assert not {"postgres", "redis"} & set(stack.endpoints["pids"])
        assert stack.sign_up("alice")[0] == 201


@pytest.mark.long
def test_without_a_broker_a_polling_worker_does_the_work(running_stack, folder):
    with running_stack(folder / "data", REDIS_URL="") as stack:
        assert set(stack.endpoints["pids"]) == {
            "postgres",
            "web",
            "workers",
            "controller",
        }
        assert len(stack.members("ledger")) == len(stack.members("outbound")) == 1
        assert stack.endpoints["redis"] is stack.endpoints["flower"] is None
        assert stack.sign_up("alice")[0] == 201
        everyone = stack.everyone()
        assert stack.stop() == 0
    assert gone(everyone)


@pytest.mark.long
def test_the_observer_runs_where_a_port_is_set_for_it(running_stack, folder):
    port = str(free_port())
    with running_stack(folder / "data", REDIS_URL="", OBSERVABILITY_PORT=port) as stack:
        address = f"http://127.0.0.1:{port}"
        assert stack.endpoints["observer"] == address
        assert f"Observer   {address}" in stack.said
        wait_until(lambda: listens(port))
        status, state = stack.ask("/api/system_state", at="observer")
        assert (status, state["redis_queue_depth"]) == (200, None)
        assert state["database_activity"]["active_connections"] > 0
        watched = psutil.Process(stack.endpoints["pids"]["observer"])
        assert stack.stop() == 0
    assert gone([watched])


def test_a_database_that_is_away_ends_it_with_the_reason(coin, folder):
    away = subprocess.run(
        [sys.executable, "-m", "cli", "up", "--port", "0", "--data", folder / "data"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "postgresql://x@127.0.0.1:1/x"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert away.returncode == 1
    assert "Connection refused" in away.stderr
    assert "Traceback" not in away.stderr
