"""The versions of servers, asked of themselves."""

from contextlib import closing

import psycopg2
import sqlalchemy as sa
from kombu import Connection

from cli.servers import redis_client

_ANSWER_SECONDS = 3


def postgresql(url: str) -> str:
    """Return the version of the PostgreSQL at a URL."""
    plain = sa.make_url(url).set(drivername="postgresql")
    with closing(
        psycopg2.connect(
            plain.render_as_string(hide_password=False), connect_timeout=_ANSWER_SECONDS
        )
    ) as connection:
        return str(connection.get_parameter_status("server_version")).split()[0]


def redis(url: str) -> str:
    """Return the version of the Redis at a URL."""
    with redis_client(url, seconds=_ANSWER_SECONDS) as client:
        return str(client.info("server")["redis_version"])


def rabbitmq(url: str) -> str:
    """Return the version of the RabbitMQ at a URL."""
    with Connection(url, connect_timeout=_ANSWER_SECONDS) as connection:
        return str(connection.connection.server_properties["version"])


def broker(url: str) -> dict[str, str]:
    """Return which broker is at a URL, and its version."""
    if url.startswith("amqp"):
        return {"rabbitmq": rabbitmq(url)}
    return {"redis": redis(url)}
