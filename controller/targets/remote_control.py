"""Celery's remote control: a question to its workers, and what each of them answers.

Over kombu, a connection and a mailbox for each question: Celery's own client tries
again for as long as the broker is away, and keeps what is answered late for ever.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kombu.connection import Connection
from kombu.exceptions import KombuError
from kombu.messaging import Producer
from kombu.pidbox import Mailbox

from controller.targets import Unavailable

# As in celeryconfig.py: under another one nobody would hear us.
KEY_PREFIX: Final = "coin:"
_BROKER_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 1.0
# Each answer costs the broker memory until it is read.
_ANSWERS_MAX: Final = 100


class RemoteControl:
    """Workers of Celery's behind one broker."""

    def __init__(self, broker_url: str) -> None:
        self._broker_url = broker_url
        self._transport = _transport(broker_url)

    def ask(
        self,
        command: str,
        *,
        nodes: Sequence[str] | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the answers by node; who does not answer in a second is missing.

        Of all workers when no nodes are named, which takes the whole second. Raises
        Unavailable when the broker does not answer.
        """
        if not self._broker_url:
            # Of none, kombu makes whatever RabbitMQ runs on this host.
            raise Unavailable("there is no broker; set REDIS_URL or RABBITMQ_URL")
        connection = Connection(  # type: ignore[no-untyped-call]
            self._broker_url,
            connect_timeout=_BROKER_SECONDS,
            transport_options=self._transport,
        )
        mailbox = _Mailbox(  # type: ignore[no-untyped-call]
            "celery", type="fanout", accept=["json"]
        )(connection)
        given = {"kwargs": dict(arguments or {}), "timeout": _ANSWER_SECONDS}
        try:
            with connection:
                if nodes is None:
                    answers = mailbox.multi_call(command, limit=_ANSWERS_MAX, **given)
                else:
                    answers = mailbox.call(list(nodes), command, **given)
        except (
            KombuError,
            OSError,
            *connection.connection_errors,
            *connection.channel_errors,
        ) as error:
            # It is recorded and shown to others: without the address.
            raise Unavailable(
                f"the broker does not answer ({type(error).__name__})"
            ) from error
        return {node: said for answer in answers for node, said in answer.items()}


def _transport(broker_url: str) -> dict[str, Any]:
    # The first try is the last: the next cycle is the second.
    if broker_url.startswith("amqp"):
        return {
            "read_timeout": _BROKER_SECONDS,
            "write_timeout": _BROKER_SECONDS,
            "max_retries": 0,
        }
    return {
        "global_keyprefix": KEY_PREFIX,
        "socket_timeout": _BROKER_SECONDS,
        "socket_connect_timeout": _BROKER_SECONDS,
        "retry_on_timeout": False,
        "max_retries": 0,
    }


class _Mailbox(Mailbox):
    @contextmanager
    def producer_or_acquire(
        self, producer: Producer | None = None, channel: Any = None
    ) -> Iterator[Producer]:
        """Yield a producer that tries once, whatever it is asked."""
        yield producer or _Producer(  # type: ignore[no-untyped-call]
            channel, auto_declare=False
        )


class _Producer(Producer):
    def publish(self, *message: Any, **options: Any) -> Any:
        """Publish, or raise what keeps it from that."""
        return super().publish(  # type: ignore[no-untyped-call]
            *message, **{**options, "retry": False}
        )
