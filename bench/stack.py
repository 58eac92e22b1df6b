"""The stack under measurement: `coin up` in a directory of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from cli import endpoints
from cli.processes import Program, end

ROOT = Path(__file__).resolve().parents[1]
_READY_SECONDS = 90
_STOP_SECONDS = 60
_DRAIN_SECONDS = 300
_LOOK_SECONDS = 0.05


@dataclass
class Stack:
    """A running stack: addresses, key, processes, and a connection to its books."""

    api: str
    database: str
    redis: str | None
    key: str
    pids: dict[str, int]
    engine: sa.Engine

    def value(self, query: str, **bound: Any) -> Any:
        """Return one value from the database."""
        with self.engine.connect() as connection:
            return connection.execute(sa.text(query), bound).scalar_one()

    def rows(self, query: str, **bound: Any) -> Sequence[Any]:
        """Return rows from the database."""
        with self.engine.connect() as connection:
            return connection.execute(sa.text(query), bound).all()

    def drained(self) -> None:
        """Wait until no job of an application is queued."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        waiting = (
            "SELECT EXISTS (SELECT FROM jobs WHERE state = 'queued'"
            " AND application IS NOT NULL)"
        )
        while self.value(waiting):
            if time.monotonic() > deadline:
                raise TimeoutError("the backlog was not drained")
            time.sleep(_LOOK_SECONDS)

    def environment(self) -> dict[str, str]:
        """Return the variables that lead another program to the same servers."""
        found = {**os.environ, "DATABASE_URL": self.database, "LOG_LEVEL": "WARNING"}
        if self.redis:
            found["REDIS_URL"] = self.redis
        return found


@contextmanager
def running(data: Path, variables: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Run `coin up` for as long as the block lasts."""
    command = [sys.executable, "-m", "cli", "up", "--port", "0", "--no-flower"]
    # It alone is told to stop, once, and tells its own: a second Ctrl-C would kill.
    program = Program(
        role="stack",
        command=[*command, "--data", str(data)],
        folder=ROOT,
        environment={"LOG_FORMAT": "json", **(variables or {})},
        stop=signal.SIGINT,
        orphaned=signal.SIGINT,
        grace_seconds=_STOP_SECONDS,
    )
    with (data.parent / f"{data.name}.log").open("wb") as log:
        process = program.start(log)
        try:
            yield _reached(process, data)
        finally:
            end(program, process)


def _reached(process: subprocess.Popen[bytes], data: Path) -> Stack:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"coin up ended; see {data}.log")
        found = endpoints.read(data)
        if found.api and found.key and found.database and _answers(found.api):
            return Stack(
                api=found.api,
                database=found.database,
                redis=found.redis,
                key=found.key,
                pids=found.pids,
                engine=sa.create_engine(
                    sa.make_url(found.database).set(drivername="postgresql+psycopg2"),
                    isolation_level="AUTOCOMMIT",
                ),
            )
        time.sleep(_LOOK_SECONDS)
    raise TimeoutError("coin up did not become ready")


def _answers(api: str) -> bool:
    return status_of(f"{api}/status/ready") == HTTPStatus.OK


def status_of(address: str) -> int | None:
    """Return the status a GET is answered with, None when it is not."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=2)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()
