"""Real servers for every test: one database a process, and sessions on it.

DATABASE_URL and REDIS_URL name servers to use; otherwise embedded ones run for as
long as the suite does, shared by all its processes. On a server of yours the suite
touches only databases it makes itself, Redis databases that were empty, and queues
that were not there before.
"""

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import hypothesis
import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import tracing
from bench.faults import lent
from cli.servers import embedded_postgres, embedded_redis
from domain.db import create_engine, session_factory
from domain.settings import Settings
from tests import databases

# The broker of the suite's own processes is Redis, whatever that of whole stacks is;
# in xdist's processes too.
if "RABBITMQ_URL" in os.environ:
    os.environ["TESTS_RABBITMQ_URL"] = os.environ.pop("RABBITMQ_URL")

# A thread of another test may log while a command's output is read.
structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))

# Every process of the suite makes hundreds of APIs, each with connections it keeps.
CONNECTIONS = 500

_OPEN = pytest.StashKey[ExitStack]()
_SERVERS = pytest.StashKey[dict[str, str]]()

# The suite is run often; `--hypothesis-profile=long` looks for longer.
for _profile, _examples in (("suite", 30), ("long", 300)):
    hypothesis.settings.register_profile(
        _profile,
        max_examples=_examples,
        deadline=None,
        print_blob=True,
        suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
    )
hypothesis.settings.load_profile("suite")


def pytest_configure(config):
    config.stash[_OPEN] = ExitStack()


def pytest_unconfigure(config):
    config.stash[_OPEN].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Start the servers before xdist's processes, in the one that outlives them."""
    node.workerinput["servers"] = _start_servers(node.config)


def _start_servers(config):
    if _SERVERS not in config.stash:
        enter = config.stash[_OPEN].enter_context
        data = Path(tempfile.mkdtemp(prefix="coin-tests-"))
        config.stash[_OPEN].callback(shutil.rmtree, data, ignore_errors=True)
        config.stash[_SERVERS] = {
            "database": os.environ.get("DATABASE_URL")
            or enter(embedded_postgres(data, connections=CONNECTIONS)),
            "redis": os.environ.get("REDIS_URL") or enter(embedded_redis(data)),
        }
    return config.stash[_SERVERS]


@pytest.fixture(scope="session")
def servers(request):
    given = getattr(request.config, "workerinput", {}).get("servers")
    return given or _start_servers(request.config)


@pytest.fixture(scope="session")
def given():
    """The servers of yours that whole stacks are to use, by their variables."""
    named = {**os.environ, "RABBITMQ_URL": os.environ.get("TESTS_RABBITMQ_URL")}
    return {name: named[name] for name in lent.SERVERS if named.get(name)}


@pytest.fixture(scope="session")
def redis_url(servers):
    """A Redis database that nothing else uses, emptied at the end."""
    with lent.redis(servers["redis"]) as url:
        yield url


@pytest.fixture(scope="session")
def empty_database(servers):
    """Return a context of a database without tables."""
    return partial(databases.created, servers["database"])


@pytest.fixture(scope="session")
def new_database(empty_database):
    """Return a context of a database as a fresh installation has it."""
    with empty_database() as template:
        databases.upgrade(template)
        yield partial(empty_database, template=template)


@pytest.fixture(scope="session")
def database_url(new_database):
    """The database of this process' tests: what they commit stays until the end."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="session")
def engine(database_url):
    """Connections with the rights the application has."""
    engine = create_engine(Settings(database_url=database_url))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def owner_engine(database_url):
    """Connections with the rights of the one who owns the tables."""
    engine = create_engine(Settings(database_url=database_url), role=False)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def sessions(engine):
    """Sessions that commit; their rows need owners and lanes of their own."""
    return session_factory(engine)


@pytest.fixture
def session(engine):
    """A session whose rows are gone after the test."""
    with databases.rolled_back(engine) as session:
        yield session


@pytest.fixture
def collected(monkeypatch):
    """The spans of this process, as soon as each has ended."""
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "_processor", lambda _: SimpleSpanProcessor(exporter))
    tracing.configure("http://collector.example:4318")
    yield exporter.get_finished_spans
    tracing.configure("")
