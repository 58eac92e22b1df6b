"""Rings as a publisher does, from a program that is not the stack's."""

from celery import Celery

import celeryconfig


class Publisher:
    """A connection to a stack's broker, for doorbells."""

    def __init__(self, broker: str) -> None:
        self._app = Celery("bench", broker=broker)
        self._app.conf.task_queues = celeryconfig.task_queues
        self._app.conf.broker_transport_options = celeryconfig.PUBLISHER_TRANSPORT
        self._app.conf.result_backend = None

    def ring(self, queue: str, lane: int) -> None:
        """Say that a lane has work."""
        self._app.send_task(
            f"{queue}.drain",
            args=[lane],
            queue=queue,
            # Its consumer has declared it, as its kind of broker wants.
            declare=[],
            retry=False,
            ignore_result=True,
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._app.close()
