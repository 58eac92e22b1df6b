"""The real thing: `coin up` in a process of its own, driven over TCP.

On servers of yours where they are named: a stack gets a corner of each.
"""

import os
from pathlib import Path

import psutil
import pytest

from bench.faults.lent import lent
from cli.servers import redis_client
from tests.cli.conftest import RunningStack, new_folder
from tests.end_to_end.wire import Client, Wire
from tests.waiting import eventually

REDIS_SECONDS = 2


class Stack(RunningStack):
    """A running stack, and ways to disturb it."""

    def client(self, application="commons"):
        found = self.endpoints
        return Client(found["api"], found["keys"][application])

    def wire(self):
        return Wire(self.endpoints["api"])

    def redis(self):
        return redis_client(self.endpoints["redis"], seconds=REDIS_SECONDS)

    def process_of(self, role):
        return psutil.Process(self.endpoints["pids"][role])

    def own(self, server):
        """Return the process of a server, which must not be anyone else's."""
        if server not in self.endpoints["pids"]:
            pytest.skip(f"no {server} of its own: one that others use is not disturbed")
        return self.process_of(server)

    def workers_children(self):
        """Return the processes in which the ledger's workers apply jobs."""
        return [child for one in self.workers() for child in one.children()]

    def workers(self):
        """Return the ledger's workers, each the parent of what applies jobs."""
        return [psutil.Process(pid) for pid in self.members("ledger")]

    def children_said(self):
        """Return what its processes wrote, without what `coin up` says itself."""
        lines = self.said.splitlines()
        return [line.split("| ", 1) for line in lines if line[11:13] == "| "]

    def wait_until_idle(self, client, *, within):
        """Wait until every job of the client's application is finished."""
        eventually(
            lambda: not client.get("/jobs?state=queued&limit=1")["jobs"], within=within
        )


@pytest.fixture(scope="session")
def start():
    """Return a function that starts a stack in a folder and waits until it is ready."""

    def run(data, *options, **environ):
        stack = Stack(data, "--port", "0", *options, **environ)
        try:
            stack.wait_until_ready()
        except BaseException:
            stack.stop()
            raise
        return stack

    return run


def lifetime(fixture_name, config):
    """Return how long a stack lives; RabbitMQ's virtual host holds one at a time."""
    return "module" if "TESTS_RABBITMQ_URL" in os.environ else "session"


@pytest.fixture(scope=lifetime)
def stack(start, given):
    """One stack for many tests; whoever disturbs it waits for its end."""
    with new_folder() as name, lent(given) as servers:
        # Receivers of webhooks are processes of the tests' own.
        stack = start(Path(name) / "data", WEBHOOK_LOOPBACK="on", **servers)
        yield stack
        stack.stop()


@pytest.fixture
def client(stack):
    with stack.client() as client:
        yield client


@pytest.fixture
def wire(stack):
    with stack.wire() as wire:
        yield wire


@pytest.fixture
def key(stack):
    return f"X-API-Key: {stack.endpoints['key']}"
