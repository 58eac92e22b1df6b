import uuid

import psycopg2
import pytest
from click.testing import CliRunner

from cli import main
from cli.servers import embedded_postgres, embedded_redis


@pytest.fixture(scope="session")
def own_postgres(tmp_path_factory):
    """A PostgreSQL of this directory's tests alone: they change its settings."""
    with embedded_postgres(tmp_path_factory.mktemp("servers")) as url:
        yield url


@pytest.fixture(scope="session")
def own_redis(tmp_path_factory):
    with embedded_redis(tmp_path_factory.mktemp("servers")) as url:
        yield url


@pytest.fixture
def empty_database(own_postgres):
    name = f"test_{uuid.uuid4().hex}"
    connection = psycopg2.connect(own_postgres, connect_timeout=3)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    return own_postgres.removesuffix("postgres") + name


@pytest.fixture
def coin(monkeypatch, tmp_path):
    """Run `coin` with an environment of its own: coin("keys", "list", REDIS_URL=…)."""

    def run(*arguments, **environ):
        for name in ("DATABASE_URL", "REDIS_URL", "RABBITMQ_URL"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return run
