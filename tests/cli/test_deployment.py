"""What runs the stack elsewhere says the same as the code: files against code."""

import http.client
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import yaml

import celeryconfig
from cli.processes import free_port
from cli.stack import Stack
from domain.settings import Settings
from domain.workers import LEDGER, OUTBOUND
from tasks._pool.programs import beat_options, worker_options

ROOT = Path(celeryconfig.__file__).parent
ROLES = {"web", "worker", "outbound", "beat", "flower", "observer", "controller"}
HEALTHY = {"condition": "service_healthy"}
SETTINGS = {name.upper() for name in Settings.__dataclass_fields__}
# Read by gunicorn's configuration, Flower and the servers' images.
OTHERS = {
    "HOST",
    "PORT",
    "FLOWER_BASIC_AUTH",
    "POSTGRES_DB",
    "POSTGRES_PASSWORD",
    "POSTGRES_USER",
    "REDISCLI_AUTH",
}


@pytest.fixture
def procfile():
    lines = (ROOT / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line)


@pytest.fixture
def services():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture
def stack(tmp_path):
    """The commands of `coin up`, the pool's members by the Procfile's names."""
    made = Stack(
        settings=Settings(database_url="postgresql://x/x", redis_url="redis://x"),
        environment={},
        data=tmp_path,
        flower_port=5555,
    )
    commands = {
        program.role: list(program.command)
        for program in (*made.programs(), made.flower(), made.observer())
    }
    assert "--task-events" in commands.pop("workers")
    for role, group in (("worker", LEDGER), ("outbound", OUTBOUND)):
        commands[role] = ["tasks", "worker", *worker_options(group, events=True)]
    commands["beat"] = ["tasks", "beat", *beat_options(tmp_path / "schedule")]
    return commands


def queues(command):
    """The queues a worker's command serves: all that are declared, unless it says."""

    def named(option):
        at = command.index(option) + 1 if option in command else None
        return set(command[at].split(",")) if at else set()

    every = set(celeryconfig.task_queues)
    return named("--queues") or every - named("--exclude-queues")


def free_base_port():
    """A port for the first process; honcho gives the n-th n hundred more."""
    for _ in range(100):
        base = free_port()
        try:
            if base < 60_000 and free_port(base + 400) and free_port(base + 500):
                return base
        except OSError:
            continue
    raise AssertionError("no ports")


def answers(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    with closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False


def after_tool(command):
    """A command without what stands before it: `python -m`, `mkdir … &&`."""
    tools = ("celery", "gunicorn", "tasks", "api.observer", "controller")
    tool = next(i for i, word in enumerate(command) if word in tools)
    return command[tool:]


def test_flower_is_told_its_port_the_one_way_it_understands(procfile, services):
    for command in (procfile["flower"], services["flower"]["command"]):
        assert re.search(r" --address=\S+ --port=\S+$", command)


def test_procfile_lists_every_process(procfile):
    assert set(procfile) == ROLES


def test_every_process_of_the_procfile_runs_in_compose(procfile, services):
    assert set(procfile) <= set(services)


def test_every_queue_has_a_consumer_everywhere(procfile, services, stack):
    for command_of in (
        lambda role: shlex.split(procfile[role]),
        lambda role: shlex.split(services[role]["command"]),
        stack.get,
    ):
        consumed = [queues(command_of(role)) for role in ("worker", "outbound")]
        assert consumed[0] | consumed[1] == set(celeryconfig.QUEUES)
        assert not consumed[0] & consumed[1]
        assert consumed[1] == {"mail", "webhooks"}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_procfile_and_coin_up_run_the_same_programs(procfile, stack, role):
    def gist(command):
        words = [w for w in after_tool(command) if w not in ("--quiet", "-A")]
        return words[:3]

    assert gist(shlex.split(procfile[role])) == gist(stack[role])


@pytest.mark.parametrize("role", ["worker", "outbound"])
def test_procfile_and_coin_up_run_the_same_workers(procfile, stack, role):
    assert after_tool(shlex.split(procfile[role])) == stack[role]


def test_honcho_reads_the_procfile():
    checked = subprocess.run(
        [Path(sys.executable).parent / "honcho", "check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        "web, worker, outbound, beat, flower, observer"
        in checked.stdout + checked.stderr
    )


@pytest.mark.long
def test_honcho_runs_the_procfile(coin, bare_database, own_redis, tmp_path):
    assert coin("migrate", DATABASE_URL=bare_database).exit_code == 0
    programs = Path(sys.executable).parent
    base = free_base_port()
    with (tmp_path / "log").open("wb") as log:
        honcho = subprocess.Popen(
            # Elsewhere, because beat keeps its schedule below the folder it runs in.
            [
                *(programs / "honcho", "--procfile", ROOT / "Procfile"),
                *("--app-root", tmp_path, "start", "--port", str(base)),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": os.fspath(ROOT),
                "PATH": f"{programs}:{os.environ['PATH']}",
                "DATABASE_URL": bare_database,
                "REDIS_URL": own_redis,
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while not (
            answers(base, "/status/ready")
            and answers(base + 400, "/healthcheck")
            and answers(base + 500, "/api/audit_summary")
        ):
            assert honcho.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
    finally:
        honcho.send_signal(signal.SIGINT)
        honcho.wait(30)


def test_compose_names_only_real_settings(services):
    for name, service in services.items():
        given = {one for one in service.get("environment", {}) if one[:3] != "GF_"}
        unknown = given - SETTINGS - OTHERS
        assert not unknown, f"{name} sets {unknown}"


def test_compose_has_no_password_of_its_own(services):
    text = (ROOT / "docker-compose.yml").read_text()
    for name in re.findall(r"\$\{(\w*PASSWORD\w*)", text):
        assert f"${{{name}:?" in text
    assert not re.search(r"PASSWORD\w*:-", text)
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if name.endswith("__FILE"):
                assert value.removeprefix("/run/secrets/") in service["secrets"]
            elif re.search("PASSWORD|AUTH|URL|SECRET", name):
                assert ":?" in value, f"{name} is not demanded from outside"


def test_a_secret_of_compose_is_demanded_where_it_is_used(services):
    """`:?` would be demanded of those too who do not run the service."""
    secrets = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["secrets"]
    for name, secret in secrets.items():
        assert set(secret) == {"environment"}
        for service in services.values():
            if name in service.get("secrets", []):
                assert (
                    f"test -s /run/secrets/{name} && exec" in service["entrypoint"][-1]
                )


def test_compose_keeps_database_and_broker_to_itself(services):
    assert "ports" not in services["postgres"]
    assert "ports" not in services["redis"]


def test_compose_keeps_every_secret_it_can_from_the_observer(services):
    assert set(services["observer"]["environment"]) == {
        *("DATABASE_URL", "OBSERVABILITY_PORT", "LOG_FORMAT"),
    }
    assert services["observer"]["ports"] == ["127.0.0.1:8080:8080"]


def test_compose_starts_nothing_before_the_schema_is_there(services):
    for role in ROLES:
        needed = services[role]["depends_on"]
        assert needed["migrate"] == {"condition": "service_completed_successfully"}
        # The observer shows what there is without it.
        assert ("redis" in needed) == (role != "observer")
        assert needed.get("redis", HEALTHY) == HEALTHY
    assert services["migrate"]["depends_on"]["postgres"] == HEALTHY
    assert services["migrate"]["restart"] == "no"


def test_compose_gives_every_service_a_health_check_or_says_why_not(services):
    for name in (*ROLES - {"web"}, "postgres", "redis", "migrate"):
        check = services[name]["healthcheck"]
        assert check.get("disable") or {"test", "interval", "timeout"} <= set(check)
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()


def test_compose_asks_redis_and_postgres_to_keep_what_they_hold(services):
    redis = shlex.split(services["redis"]["command"])
    assert redis[redis.index("--appendonly") + 1] == "yes"
    assert redis[redis.index("--maxmemory-policy") + 1] == "noeviction"
    assert "synchronous_commit=on" in services["postgres"]["command"]
    assert services["postgres"]["volumes"]
    assert services["redis"]["volumes"]


def test_every_volume_is_declared(services):
    declared = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["volumes"]
    for service in services.values():
        for volume in service.get("volumes", []):
            source, _, inside = volume.partition(":")
            if source.startswith("./"):
                assert (ROOT / source).is_dir()
                assert inside.endswith(":ro")
            else:
                assert source in declared


def test_the_image_holds_what_it_runs_and_not_as_root():
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER (?!root)", dockerfile, re.MULTILINE)
    kept = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages | {"migrations", "pyproject.toml", "requirements.lock"} <= kept


def test_make_prints_its_targets():
    shown = subprocess.run(
        ["make", "--no-print-directory"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    ).stdout
    for target in ("up", "test", "check", "clean"):
        assert re.search(rf"^  make {target} +\w", shown, re.MULTILINE)


def test_make_says_which_python_it_needs(tmp_path):
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    answer = subprocess.run(
        ["make", "up", f"PYTHON={old}", f"VENV={tmp_path}/venv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode != 0
    assert "Python 3.11 or newer is needed" in answer.stdout


def test_the_lock_names_versions_and_no_addresses():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert len(pinned) > 40
    for line in pinned:
        assert re.fullmatch(r"[\w.-]+==[\w.]+", line), line
