"""A virtual host of a RabbitMQ, for one stack at a time: queues are named in code."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from amqp import Channel
from amqp.exceptions import NotFound, ResourceLocked
from kombu import Connection
from kombu.transport import native_delayed_delivery as delayed

_CONNECT_SECONDS = 3
_LOCKED_SECONDS = 300
_LOOK_SECONDS = 0.2
# The lock goes with its connection; the mark stays with what a killed run left.
_LOCK, _MARK = "coin-borrowed-lock", "coin-borrowed"
# What Celery declares besides, asked or not: for delays, events and remote control.
_DELAYS = tuple(map(delayed.level_name, range(delayed.MAX_LEVEL + 1)))
_CELERYS_OWN = (
    *(delayed.CELERY_DELAYED_DELIVERY_EXCHANGE, "celeryev"),
    *("celery.pidbox", "reply.celery.pidbox"),
)


class Occupied(Exception):
    """A server has no room that is surely nobody's; the message says why."""


@contextmanager
def borrowed(url: str) -> Iterator[None]:
    """Wait until nobody else has it; remove what was made in it at the end."""
    with Connection(url, connect_timeout=_CONNECT_SECONDS) as connection:
        channel = _locked(connection)
        if _has_queue(connection, _MARK):
            _clear(channel, _queues())
        for queue in _queues():
            if _has_queue(connection, queue):
                raise Occupied(f"its virtual host has a stranger's queue {queue}")
        exchanges = (*_queues(), *_CELERYS_OWN)
        made = [one for one in exchanges if not _has_exchange(connection, one)]
        channel.queue_declare(_MARK, durable=True, auto_delete=False)
        try:
            yield
        finally:
            _clear(channel, made)


def _locked(connection: Connection) -> Channel:
    deadline = time.monotonic() + _LOCKED_SECONDS
    while time.monotonic() < deadline:
        channel = connection.channel()
        try:
            channel.queue_declare(_LOCK, exclusive=True)
        except ResourceLocked:
            time.sleep(_LOOK_SECONDS)
        else:
            return channel
    raise Occupied(f"another run has this virtual host for {_LOCKED_SECONDS} s")


def _has_queue(connection: Connection, name: str) -> bool:
    try:
        with connection.channel() as channel:
            channel.queue_declare(name, passive=True)
    except NotFound:
        return False
    return True


def _has_exchange(connection: Connection, name: str) -> bool:
    try:
        with connection.channel() as channel:
            channel.exchange_declare(name, "direct", passive=True)
    except NotFound:
        return False
    return True


def _clear(channel: Channel, exchanges: Collection[str]) -> None:
    # Its delays come and go together; messages of a stranger's may lie in them.
    delays = _DELAYS if delayed.CELERY_DELAYED_DELIVERY_EXCHANGE in exchanges else ()
    for name in (*_queues(), *delays):
        channel.queue_delete(name)
    for name in (*exchanges, *delays):
        channel.exchange_delete(name)
    channel.queue_delete(_MARK)


def _queues() -> tuple[str, ...]:
    import celeryconfig  # noqa: PLC0415  reads the environment, complete only now

    return celeryconfig.QUEUES
