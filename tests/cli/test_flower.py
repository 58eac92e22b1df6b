"""Flower is open to this host alone, unless it asks for a password."""

import base64
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psutil
import pytest

import celeryconfig
from cli.processes import end, free_port
from cli.stack import Stack
from cli.up import _Run
from domain.settings import Settings
from tests.waiting import eventually

ROOT = Path(celeryconfig.__file__).parent
START_SECONDS = 30
WORKERS = "/api/workers"


@contextmanager
def flower(redis, *options, **environ):
    """Run Flower as every launcher of ours does: from this directory."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FLOWER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tasks", "flower", *options],
        cwd=ROOT,
        env={**kept, "REDIS_URL": redis, "RABBITMQ_URL": "", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def status(port, path, credentials=None):
    """Return how a request is answered; None where nobody listens."""
    headers = {}
    if credentials is not None:
        said = base64.b64encode(credentials.encode()).decode()
        headers["Authorization"] = f"Basic {said}"
    try:
        request = Request(f"http://127.0.0.1:{port}{path}", headers=headers)
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status
    except HTTPError as error:
        with error:
            return error.code
    except URLError:
        return None


def listening(process):
    return {
        one.laddr.ip
        for one in psutil.Process(process.pid).net_connections(kind="inet")
        if one.status == psutil.CONN_LISTEN
    }


def test_with_a_password_it_asks_for_it(own_redis):
    port = free_port()
    with flower(own_redis, f"--port={port}", FLOWER_BASIC_AUTH="ada:tulips") as process:
        eventually(lambda: status(port, "/healthcheck"), within=START_SECONDS)
        said = [None, "ada:", "ada:roses", ":", "ada:tulips"]
        answers = [status(port, WORKERS, credentials) for credentials in said]
        pages = [status(port, "/workers", credentials) for credentials in said]

        assert listening(process) == {"127.0.0.1"}
    assert answers == pages == [HTTPStatus.UNAUTHORIZED] * 4 + [HTTPStatus.OK]


def test_with_neither_password_nor_address_only_this_host_reaches_it(own_redis):
    port = free_port()
    with flower(own_redis, f"--port={port}", FLOWER_BASIC_AUTH="") as process:
        eventually(lambda: status(port, "/healthcheck"), within=START_SECONDS)

        assert listening(process) == {"127.0.0.1"}
        # Nobody said that its interface for programs may be open.
        assert status(port, WORKERS) == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    ("address", "environ", "said"),
    [
        ("0.0.0.0", {"FLOWER_UNAUTHENTICATED_API": "true"}, "others can reach 0.0.0.0"),
        ("::", {"FLOWER_BASIC_AUTH": ""}, "set FLOWER_BASIC_AUTH=user:password"),
        ("0.0.0.0", {"FLOWER_BASIC_AUTH": "ada:tulips,eve"}, "must be user:password"),
    ],
)
def test_it_does_not_start_where_others_reach_it_without_a_password(
    own_redis, address, environ, said
):
    port = str(free_port())
    environ = {"FLOWER_ADDRESS": address, "FLOWER_PORT": port, **environ}
    with flower(own_redis, **environ) as process:
        output, _ = process.communicate(timeout=START_SECONDS)

    assert process.returncode == 1
    assert said in output


def test_the_image_has_what_refuses():
    assert "!flowerconfig.py" in (ROOT / ".dockerignore").read_text().splitlines()


def test_coin_up_passes_the_password_on(own_redis, tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "ada:tulips")
    monkeypatch.setenv("HOST", "0.0.0.0")
    up = _Run(port=0, any_port=True, data=tmp_path, flower=True)
    stack = Stack(
        settings=Settings(database_url="postgresql://x/x", redis_url=own_redis),
        environment={**up._environment(), "REDIS_URL": own_redis, "RABBITMQ_URL": ""},
        data=tmp_path,
        flower_port=free_port(),
    )
    program = stack.flower()
    with (tmp_path / "log").open("wb") as log:
        process = program.start(log)
    try:
        asked = partial(status, stack.flower_port)
        eventually(lambda: asked("/healthcheck"), within=START_SECONDS)
        answers = [asked(WORKERS, one) for one in (None, "ada:tulips")]
        reached = listening(process)
    finally:
        end(program, process)

    assert answers == [HTTPStatus.UNAUTHORIZED, HTTPStatus.OK]
    # Whoever may reach the API.
    assert reached == {"127.0.0.1"}
