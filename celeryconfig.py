"""Celery's configuration, each setting with its reason; imports none of the layers.

Two transport configurations: a worker waits patiently on its broker, a publisher
(the API first of all) gives up within half a second, because the job is already
stored and the reconciler rings again.
"""

import os
from pathlib import Path
from typing import Any, Final

_TASKS: Final = Path(__file__).parent / "tasks"

# One file in tasks/ is one queue; a leading underscore marks the machinery.
QUEUES: Final = tuple(
    sorted(file.stem for file in _TASKS.glob("*.py") if not file.stem.startswith("_"))
)
LANES_MAX: Final = 64

broker_url = os.environ.get("RABBITMQ_URL") or os.environ.get("REDIS_URL") or None
_on_rabbitmq: Final = (broker_url or "").startswith("amqp")

# Doorbells carry no work, so RabbitMQ may drop the oldest beyond a few a lane; on
# Redis a flag a lane keeps them to one (tasks/_doorbell.py).
_queue_arguments: Final = (
    {"x-queue-type": "quorum", "x-max-length": 4 * LANES_MAX} if _on_rabbitmq else None
)
# Not kombu's own objects: who only asks for the names has no use for three megabytes.
task_queues = {
    # Its own exchange and key: by default all queues would share one binding.
    name: {
        "exchange": name,
        "exchange_type": "direct",
        "routing_key": name,
        "queue_arguments": _queue_arguments,
    }
    for name in QUEUES
}
# A misspelt queue fails where it is named instead of filling up unread.
task_create_missing_queues = False
task_default_queue = "maintenance"

# Results live in the job's row, where they outlive the broker.
result_backend = None
task_ignore_result = True
# Nothing but JSON is ever unpickled.
task_serializer = "json"
accept_content = ["json"]

# A doorbell counts as answered when its work is committed; on Redis, where kombu only
# emulates acknowledgement, when it is read (see below).
task_acks_late = _on_rabbitmq
task_reject_on_worker_lost = _on_rabbitmq
# A worker that hoards doorbells keeps them from workers that are idle.
worker_prefetch_multiplier = 1
worker_disable_prefetch = not _on_rabbitmq

# A drain ends itself after a second or two; the limits catch a statement that hangs.
task_soft_time_limit = 90
task_time_limit = 120
# Memory that creeps is given back before anyone notices.
worker_max_tasks_per_child = 5_000
worker_max_memory_per_child = 300_000
# Long enough for the batch in hand, well inside a Kubernetes grace period of 60 s.
worker_soft_shutdown_timeout = 25
worker_enable_soft_shutdown_on_idle = False

# Nothing uses results or `inspect` per task; events are switched on for Flower (-E).
task_send_sent_event = False
# A worker started before its broker waits for it, and for ever.
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
# The logs are ours (logconfig.py): Celery must not reset them.
worker_hijack_root_logger = False
worker_redirect_stdouts = False
timezone = "UTC"

WORKER_TRANSPORT: Final[dict[str, Any]] = (
    {"confirm_publish": True}
    if _on_rabbitmq
    else {
        # With it, a worker that lost its connection with a doorbell unanswered put
        # that back through this very connection and ended with an AttributeError
        # (kombu 5.7). For a worker that dies the reconciler rings again.
        "ack_emulation": False,
        # Longer than a blocking read, short enough to notice a dead connection.
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "global_keyprefix": "coin:",
    }
)
PUBLISHER_TRANSPORT: Final[dict[str, Any]] = (
    {
        "confirm_publish": False,
        "connect_timeout": 0.5,
        "read_timeout": 0.5,
        "write_timeout": 0.5,
        # The first try is the last: a second one comes after two seconds.
        "max_retries": 0,
    }
    if _on_rabbitmq
    else {
        "socket_timeout": 0.5,
        "socket_connect_timeout": 0.5,
        "retry_on_timeout": False,
        "global_keyprefix": "coin:",
    }
)
broker_transport_options = WORKER_TRANSPORT
