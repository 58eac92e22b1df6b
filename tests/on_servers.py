"""Run the end-to-end and fault tests on the servers of this machine.

Once on PostgreSQL and Redis, once on PostgreSQL and RabbitMQ; where one of a pair
cannot be used, a line says why instead. Servers elsewhere are named by DATABASE_URL,
REDIS_URL and RABBITMQ_URL.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg2
from amqp.exceptions import AMQPError
from redis import RedisError

from bench.faults import versions
from bench.faults.lent import SERVERS, lent
from bench.faults.virtual_host import Occupied

# In one process: a virtual host of RabbitMQ holds one stack.
PYTEST = (
    *(sys.executable, "-m", "pytest", "-p", "no:xdist", "-rs"),
    *("-m", "long or not long"),
    *("tests/end_to_end", "tests/faults"),
)
# These are about HTTP, and the same on any server: they were run on our own.
ANY_SERVER = (
    *("attacks", "examples", "figures", "http", "limits", "pages", "people"),
    "seed_requests",
)
RUN_SECONDS = 480
END_SECONDS = 60


class TooOld(Exception):
    """A server is older than what is supported."""


UNUSABLE = (OSError, psycopg2.Error, RedisError, AMQPError, Occupied, TooOld)


class Server(NamedTuple):
    """A server's name, its variable, where it usually is, and what it must be."""

    name: str
    variable: str
    usual: str
    version: Callable[[str], str]
    oldest: tuple[int, int]

    @property
    def url(self):
        return os.environ.get(self.variable) or self.usual

    def examine(self):
        """Return its version; raise unless it is one to use, and lets us in."""
        version = self.version(self.url)
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < self.oldest:
            raise TooOld(f"version {version} is too old")
        with lent({self.variable: self.url}):
            return version


POSTGRESQL = Server(
    "PostgreSQL",
    "DATABASE_URL",
    "postgresql://postgres@127.0.0.1:5432/postgres",
    versions.postgresql,
    (15, 0),
)
REDIS = Server("Redis", "REDIS_URL", "redis://127.0.0.1:6379", versions.redis, (6, 2))
RABBITMQ = Server(
    "RabbitMQ",
    "RABBITMQ_URL",
    "amqp://guest:guest@127.0.0.1:5672//",
    versions.rabbitmq,
    (3, 8),  # the first with quorum queues
)


def main():
    """Do both runs at once; fail when one of them did."""
    with ThreadPoolExecutor() as both:
        done = [both.submit(run, POSTGRESQL, broker) for broker in (REDIS, RABBITMQ)]
    sys.exit(any(one.result() for one in done))


def run(*servers):
    """Run the tests on servers together, or say why not; return pytest's status."""
    found = []
    for server in servers:
        try:
            found.append(f"{server.name} {server.examine()}")
        except UNUSABLE as error:
            names = " and ".join(server.name for server in servers)
            say(f"not run on {names}: {server.name} at {place(server.url)}: {error}")
            return 0
    say(f"run on {' and '.join(found)}")
    return tests({server.variable: server.url for server in servers})


def tests(given):
    """Run pytest on the servers given; return its status."""
    kept = {name: value for name, value in os.environ.items() if name not in SERVERS}
    ignored = [f"--ignore=tests/end_to_end/test_{name}.py" for name in ANY_SERVER]
    # What two runs say at once would be nobody's: each is told when it is over.
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [*PYTEST, *ignored], env={**kept, **given}, stdout=said, stderr=said
        )
        try:
            process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # so that it ends what it has started
            process.wait(END_SECONDS)
            say(f"not done after {RUN_SECONDS} s")
        said.seek(0)
        print(said.read(), flush=True)  # noqa: T201  it reports
    return process.returncode


def place(url):
    """Return where a server is, without the password to it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname


def say(text):
    print(" ".join(text.split()), flush=True)  # noqa: T201  it reports


if __name__ == "__main__":
    main()
