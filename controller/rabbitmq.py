"""RabbitMQ as a broker: by itself, for its client is read only where it is used."""

from collections.abc import Sequence
from typing import Any, Final

from kombu.connection import Connection
from kombu.exceptions import KombuError

from controller.broker import BrokerAway

_SECONDS: Final = 1.0


class RabbitBroker:
    """What is ready; the protocol does not tell what is not acknowledged."""

    def __init__(self, url: str) -> None:
        self._url = url

    def messages(self, queues: Sequence[str]) -> dict[str, int]:
        """Return how many messages each queue has."""
        options = {
            **dict.fromkeys(("read_timeout", "write_timeout"), _SECONDS),
            # The first try is the last: a second one comes after two seconds.
            "max_retries": 0,
        }
        connection: Any = Connection(  # type: ignore[no-untyped-call]
            self._url, connect_timeout=_SECONDS, transport_options=options
        )
        try:
            with connection:
                # Any other channel would try again all the same.
                channel = connection.default_channel
                return {
                    queue: channel.queue_declare(queue, passive=True).message_count
                    for queue in queues
                }
        except (OSError, KombuError, *connection.connection_errors) as error:
            cause = error.__cause__ or error
            raise BrokerAway(f"RabbitMQ: {type(cause).__name__}") from error
        except connection.channel_errors as error:
            raise BrokerAway("RabbitMQ: a queue is missing") from error
