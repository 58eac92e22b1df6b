"""Celery's side: one file a queue, one function a kind of job.

A message is a doorbell ("lane L of queue Q has work"); the work is in the database.
"""

import gc
import importlib
import os
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Final

import billiard.pool
from celery import Celery, signals
from celery.concurrency.thread import TaskPool as Threads

import celeryconfig
import logconfig
import tracing
from domain.db import create_engine, session_factory
from domain.operations import require_agreement
from domain.schema import require_schema
from domain.settings import Settings
from tasks import _exposition
from tasks._beats import beating
from tasks._breaker import Breaker
from tasks._copies import Copies, balance_name
from tasks._doorbell import WEBHOOKS, ping, ring
from tasks._drain import drain
from tasks._outgoing import FAILURES, Request, connection, exchange
from tasks._periodic import LANE, is_late, next_slot_at, periodic, submit_slot
from tasks._poll import poll
from tasks._registry import batch_job, kinds, long_job, woken
from tasks._sealing import seal

__all__ = [
    "FAILURES",
    "WEBHOOKS",
    "Breaker",
    "Copies",
    "Request",
    "app",
    "balance_name",
    "batch_job",
    "connection",
    "exchange",
    "is_late",
    "kinds",
    "long_job",
    "next_slot_at",
    "periodic",
    "ping",
    "poll",
    "ring",
    "seal",
    "start",
]

_GARBAGE: Final = (20_000, 50, 50)
_TENTHS_UNHEARD: Final = 10

# What beats in this process, from one of Celery's signals to another.
_heart: Final = ExitStack()

app: Final = Celery("peoples_coin")
app.config_from_object("celeryconfig")

# Importing a queue's file declares its kinds of job.
for _queue in celeryconfig.QUEUES:
    importlib.import_module(f"tasks.{_queue}")

for _queue in celeryconfig.QUEUES:

    @app.task(name=f"{_queue}.drain")
    def _answer_doorbell(lane: int, queue: str = _queue) -> None:
        """Answer a doorbell."""
        drain(queue, lane)
        if queue in woken:
            woken[queue]()

    @app.task(name=f"{_queue}.submit_slot")
    def _answer_beat(kind: str) -> None:
        """Answer beat: the job is stored once, however many beats there are."""
        declared = kinds[kind]
        submit_slot(declared, now=datetime.now(UTC))
        drain(declared.queue, LANE)


app.conf.task_routes = {f"{queue}.*": {"queue": queue} for queue in celeryconfig.QUEUES}
# A beat that was away for a while must not make up for it all at once.
app.conf.beat_schedule = {
    kind.name: {
        "task": f"{kind.queue}.submit_slot",
        "args": [kind.name],
        "schedule": kind.every_seconds,
        "options": {"expires": kind.every_seconds},
    }
    for kind in periodic()
}


def start(*, gather_logs: bool = False) -> None:
    """Set up logs and refuse to run on a database this code does not go with."""
    settings = Settings.from_environ(os.environ)
    logconfig.configure(
        level=settings.log_level, style=settings.log_format, gather=gather_logs
    )
    tracing.configure(settings.otel_exporter_otlp_endpoint)
    engine = create_engine(settings)
    with session_factory(engine).begin() as session:
        require_schema(session)
        require_agreement(session)
    engine.dispose()


@signals.setup_logging.connect
def _set_up_logging(**_options: Any) -> None:
    settings = Settings.from_environ(os.environ)
    logconfig.configure(level=settings.log_level, style=settings.log_format)


@signals.worker_process_init.connect
def _start_child(sender: str, **_options: Any) -> None:
    # What was imported never becomes garbage: looking through it again and again
    # took a tenth of every batch.
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
    # Told to end just as a doorbell came, the parent may no longer listen: the child
    # would wait half a minute for it to take a result that nobody uses (billiard 4.3).
    billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = _TENTHS_UNHEARD
    _begin_to_beat(sender, slots=1)


@signals.worker_process_shutdown.connect
def _end_child(**_options: Any) -> None:
    _heart.close()
    tracing.stop()


@signals.worker_ready.connect
def _begin_to_beat_for_threads(sender: Any, **_options: Any) -> None:
    # The pool of one thread counts as a child; that of processes has children.
    if isinstance(sender.pool, Threads):
        _begin_to_beat(sender.hostname, slots=sender.pool.limit)


@signals.worker_shutdown.connect
def _end_worker(**_options: Any) -> None:
    _heart.close()


def _begin_to_beat(name: str, *, slots: int) -> None:
    queues = app.amqp.queues.consume_from
    _heart.enter_context(beating(name, queues=queues, slots=slots))


@signals.worker_ready.connect
def _begin_at_once(**_options: Any) -> None:
    _exposition.serve()
    # Beat waits a whole period before the first; readiness should not.
    for kind in periodic():
        app.send_task(f"{kind.queue}.submit_slot", args=[kind.name], queue=kind.queue)


@signals.worker_init.connect
def _start_worker(**_options: Any) -> None:
    # A signal's exception would only be logged; this one must end the process.
    try:
        start()
    except Exception as error:
        raise SystemExit(f"worker: {error}") from error
    # Before there are processes to count in.
    _exposition.begin()
