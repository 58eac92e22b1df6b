"""What `coin doctor` asks the broker and the workers behind it."""

from collections.abc import Iterator
from typing import Any, Final, cast

from kombu.connection import Connection
from kombu.pidbox import Mailbox
from redis import RedisError

from cli.findings import Finding, fail, ok, warn
from cli.servers import redis_client
from domain.settings import Settings

_ANSWER_SECONDS: Final = 3.0
_PING_SECONDS: Final = 1.0
_REDIS_OLDEST: Final = (6, 2)


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at whichever broker is used, then for a worker."""
    if not settings.broker_url:
        yield warn(
            "there is no broker: jobs start when `coin worker --poll` looks",
            "set REDIS_URL or RABBITMQ_URL for answers within milliseconds",
        )
        return
    found = [*(_redis(settings) if settings.redis_url else ())]
    if settings.rabbitmq_url:
        found.append(_rabbitmq(settings.rabbitmq_url))
    yield from found
    if not any(finding.what.endswith("does not answer") for finding in found):
        yield _workers(settings.broker_url)


def _redis(settings: Settings) -> Iterator[Finding]:
    try:
        with redis_client(settings.redis_url, seconds=_ANSWER_SECONDS) as client:
            facts = cast("dict[str, Any]", client.info())
    except (RedisError, ValueError):
        yield fail("Redis does not answer", "check REDIS_URL, and that the server runs")
        return
    version = str(facts["redis_version"])
    if tuple(map(int, version.split(".")[:2])) < _REDIS_OLDEST:
        yield fail(f"Redis {version} is too old", "upgrade to 6.2 or newer")
    else:
        yield ok(f"Redis {version} answers")
    yield _eviction(facts)
    yield _persistence(facts)


def _eviction(facts: dict[str, Any]) -> Finding:
    policy = facts.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        return ok("a full Redis refuses writes and keeps its queues")
    return fail(
        f"a full Redis would drop queues: its maxmemory-policy is {policy}",
        "CONFIG SET maxmemory-policy noeviction, and in redis.conf",
    )


def _persistence(facts: dict[str, Any]) -> Finding:
    if not facts.get("aof_enabled"):
        return warn(
            "Redis forgets its queues in a restart; jobs then wait for the reconciler",
            "CONFIG SET appendonly yes, and in redis.conf",
        )
    if facts.get("aof_last_write_status", "ok") != "ok":
        return fail("Redis cannot write its append-only file", "look at its disk")
    return ok("Redis keeps its queues over a restart")


def _rabbitmq(url: str) -> Finding:
    options = dict.fromkeys(("read_timeout", "write_timeout"), _ANSWER_SECONDS)
    connection = Connection(  # type: ignore[no-untyped-call]
        url, connect_timeout=_ANSWER_SECONDS, transport_options=options
    )
    try:
        with connection:
            connection.connect()  # type: ignore[no-untyped-call]
    except (OSError, *connection.connection_errors):
        return fail(
            "RabbitMQ does not answer", "check RABBITMQ_URL, and that the server runs"
        )
    return ok("RabbitMQ answers")


def _workers(broker_url: str) -> Finding:
    import celeryconfig  # noqa: PLC0415  reads the environment, complete only now

    connection = Connection(  # type: ignore[no-untyped-call]
        broker_url, transport_options=celeryconfig.WORKER_TRANSPORT
    )
    # Celery's own, but over this connection: its would be the one of the environment,
    # and without any a RabbitMQ that happens to run on this host.
    workers = Mailbox(  # type: ignore[no-untyped-call]
        "celery", type="fanout", accept=["json"], queue_exclusive=True
    )(connection)
    with connection:
        try:
            # One will do: in a large fleet each further reply costs the broker memory.
            answers = workers.multi_call("ping", timeout=_PING_SECONDS, limit=1)
        except (OSError, *connection.connection_errors):
            answers = []
    if answers:
        return ok(f"worker {next(iter(answers[0]))} answers")
    return warn(
        "no worker answers: writes are stored and wait", "coin up, or coin worker"
    )
