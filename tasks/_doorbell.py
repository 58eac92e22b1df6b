"""The doorbell: tells workers that a lane has work, at most one message at a time.

Losing one is harmless (the reconciler rings again), doubling one too; waiting on
the broker is neither, so every call here ends within half a second or so.
"""

from functools import cache
from typing import Final

import redis
import structlog
from celery import Celery
from kombu.exceptions import KombuError
from redis.backoff import NoBackoff
from redis.retry import Retry

import celeryconfig
from tasks import _figures

_log = structlog.get_logger()

# While the flag stands, a doorbell is on its way and another would say nothing new.
# It falls by itself should that doorbell have been lost.
_FLAG_MS: Final = 2_000
_TIMEOUT_SECONDS: Final = 0.5

# The queue and lane that say "deliveries are due".
WEBHOOKS: Final = ("webhooks", 0)

_BROKER_AWAY: Final = (KombuError, redis.RedisError, OSError)


@cache
def _publisher() -> Celery:
    app = Celery("doorbell")
    app.config_from_object("celeryconfig")
    app.conf.broker_transport_options = celeryconfig.PUBLISHER_TRANSPORT
    app.conf.broker_connection_timeout = _TIMEOUT_SECONDS
    return app


@cache
def _flags() -> redis.Redis | None:
    url = celeryconfig.broker_url
    if url is None or url.startswith("amqp"):
        return None
    return redis.Redis.from_url(
        url,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        # The client's own default is to try three times more.
        retry=Retry(NoBackoff(), retries=0),
    )


def ring(queue: str, lane: int) -> bool | None:
    """Tell a worker that the lane has work; say whether the broker took it, if any."""
    if celeryconfig.broker_url is None:
        return None
    rung = _ring(queue, lane)
    _figures.rang(rung=rung)
    return rung


def _ring(queue: str, lane: int) -> bool:
    flags = _flags()
    try:
        if flags and not flags.set(_flag(queue, lane), 1, nx=True, px=_FLAG_MS):
            return True
        _publisher().send_task(f"{queue}.drain", args=[lane], queue=queue, retry=False)
    except _BROKER_AWAY as error:
        _log.warning("doorbell_failed", queue=queue, lane=lane, error=repr(error))
        return False
    return True


def ping() -> None:
    """Return if the broker answers within a second or so, else raise."""
    flags = _flags()
    if flags is not None:
        flags.ping()
        return
    with _publisher().connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=_TIMEOUT_SECONDS)


def answer(queue: str, lane: int) -> None:
    """Take the flag down: what is accepted from now on rings anew."""
    flags = _flags()
    if flags is None:
        return
    try:
        flags.delete(_flag(queue, lane))
    except redis.RedisError as error:
        _log.warning("doorbell_not_answered", queue=queue, error=repr(error))


def _flag(queue: str, lane: int) -> str:
    return f"coin:rung:{queue}:{lane}"
