"""Nodes that answer as Celery's workers do, on a real broker, and have no processes."""

import threading
from contextlib import contextmanager, suppress

from kombu import Connection
from kombu.pidbox import Mailbox

from celeryconfig import WORKER_TRANSPORT

LOOK_SECONDS = 0.02


class PretendedNode:
    """What it tells is what its fields say; it does as it is told, unless it lies."""

    def __init__(self, name, *, processes, queues=("ledger",), busy=0, kind=None):
        self.name = name
        self.processes = processes
        self.started_with = processes
        self.busy = busy
        self.seen_busy = None  # what it tells, where that is not so any more
        self.asked = []
        self.silent_to = ()
        self.lies = False
        arguments = {"x-queue-type": kind} if kind else None
        self._queues = [{"name": one, "queue_arguments": arguments} for one in queues]

    def answers(self, command, destination):
        if destination and self.name not in destination:
            return False
        self.asked.append(command)
        return command not in self.silent_to

    def active_queues(self, _state):
        return self._queues

    def stats(self, _state):
        return {
            "pool": {
                "implementation": "celery.concurrency.prefork:TaskPool",
                "max-concurrency": self.started_with,
                "processes": list(range(self.processes)),
            }
        }

    def active(self, _state):
        seen = self.busy if self.seen_busy is None else self.seen_busy
        return [{"id": str(number)} for number in range(seen)]

    def pool_grow(self, _state, n):
        self.processes += 0 if self.lies else n
        return {"ok": "pool will grow"}

    def pool_shrink(self, _state, n):
        if self.busy >= self.processes:
            raise ValueError("Can't shrink pool. All processes busy!")
        self.processes -= n
        return {"ok": "pool will shrink"}

    def handlers(self):
        names = ("active_queues", "stats", "active", "pool_grow", "pool_shrink")
        return {name: getattr(self, name) for name in names}


@contextmanager
def pretending(broker_url, *nodes):
    """Answer for these nodes as long as the block lasts."""
    over, listening = threading.Event(), threading.Barrier(len(nodes) + 1)
    threads = [
        threading.Thread(target=_answer, args=(broker_url, node, listening, over))
        for node in nodes
    ]
    for thread in threads:
        thread.start()
    listening.wait(10)
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(10)


def _answer(broker_url, node, listening, over):
    with Connection(broker_url, transport_options=WORKER_TRANSPORT) as connection:
        mailbox = Mailbox("celery", type="fanout", accept=["json"])(connection)
        listener = mailbox.Node(
            node.name, handlers=node.handlers(), channel=connection.default_channel
        )

        def on_message(body, message):
            if node.answers(body["method"], body["destination"]):
                listener.handle_message(body, message)

        with listener.listen(callback=on_message):
            # It is subscribed when it looks for the first time.
            _look(connection)
            listening.wait(10)
            while not over.is_set():
                _look(connection)


def _look(connection):
    with suppress(TimeoutError):
        connection.drain_events(timeout=LOOK_SECONDS)
