"""Servers that others use too: on each a corner of our own, left as it was found.

DATABASE_URL, REDIS_URL and RABBITMQ_URL name them. Ours are a database made for the
purpose, a Redis database that was empty, and a virtual host without our queues.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from urllib.parse import urlsplit

import psycopg2
import sqlalchemy as sa
from redis import Redis

from bench.faults import virtual_host
from bench.faults.virtual_host import Occupied

SERVERS = ("DATABASE_URL", "REDIS_URL", "RABBITMQ_URL")
_CONNECT_SECONDS = 3
_REDIS_DATABASES = 16
_REDIS_CLAIM = "coin:lent"
_REDIS_CLAIM_SECONDS = 3_600


@contextmanager
def lent(given: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield variables that lead one stack to a corner of each server that is given."""
    found = {}
    with ExitStack() as held:
        if url := given.get("DATABASE_URL"):
            found["DATABASE_URL"] = held.enter_context(postgres(url))
        if url := given.get("RABBITMQ_URL"):
            held.enter_context(virtual_host.borrowed(url))
            found |= {"RABBITMQ_URL": url, "REDIS_URL": ""}
        elif url := given.get("REDIS_URL"):
            found["REDIS_URL"] = held.enter_context(redis(url))
        yield found


@contextmanager
def postgres(server: str, *, template: str = "template1") -> Iterator[str]:
    """Make a database, a copy of another on the server; drop it at the end."""
    name = f"coin_test_{uuid.uuid4().hex}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        url = sa.make_url(server).set(database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def administer(server: str, *statements: str) -> None:
    """Run statements that cannot run in a transaction."""
    url = sa.make_url(server).set(drivername="postgresql")
    plain = url.render_as_string(hide_password=False)
    connection = psycopg2.connect(plain, connect_timeout=_CONNECT_SECONDS)
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def redis(server: str) -> Iterator[str]:
    """Claim a database that nothing else uses; empty it at the end."""
    for number in reversed(range(_REDIS_DATABASES)):
        url = urlsplit(server)._replace(path=f"/{number}").geturl()
        with Redis.from_url(url) as client:
            if not client.set(_REDIS_CLAIM, 1, nx=True, ex=_REDIS_CLAIM_SECONDS):
                continue
            if client.dbsize() == 1:
                try:
                    yield url
                finally:
                    client.flushdb()
                return
            client.delete(_REDIS_CLAIM)
    raise Occupied(f"none of {_REDIS_DATABASES} databases of this Redis is empty")
