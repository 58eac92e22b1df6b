"""Webhooks: an application is told of what happened, by the Standard Webhooks rules.

Events are stored with what they tell of (`outbox`), and sent by whoever has time.
"""

from domain.webhooks.keeping import (
    ENDPOINTS_MAX,
    OVERLAP,
    create,
    find,
    page,
    remove,
    rotate,
    secret_of,
    switch,
)
from domain.webhooks.log import (
    PING,
    REPLAYED_MAX,
    STATES,
    attempts_of,
    depths,
    find_delivery,
    forget,
    page_deliveries,
    ping,
    replay,
    replay_failed,
)
from domain.webhooks.outbox import EVENTS
from domain.webhooks.record import (
    DeliveryUnderWay,
    Endpoint,
    NoSuchDelivery,
    NoSuchWebhook,
    TooManyWebhooks,
    WebhookDisabled,
)
from domain.webhooks.sending import (
    FAILING_MAX,
    RETRY_AFTER_MAX,
    SCHEDULE,
    Attempt,
    Chosen,
    choose,
    due,
    give_up_behind,
    record,
)
from domain.webhooks.targets import (
    URL_LENGTH_MAX,
    Target,
    WebhookUrlRefused,
    may_be_reached,
    read_target,
)
from domain.webhooks.waiting import Waiting, waiting

__all__ = [
    "ENDPOINTS_MAX",
    "EVENTS",
    "FAILING_MAX",
    "OVERLAP",
    "PING",
    "REPLAYED_MAX",
    "RETRY_AFTER_MAX",
    "SCHEDULE",
    "STATES",
    "URL_LENGTH_MAX",
    "Attempt",
    "Chosen",
    "DeliveryUnderWay",
    "Endpoint",
    "NoSuchDelivery",
    "NoSuchWebhook",
    "Target",
    "TooManyWebhooks",
    "Waiting",
    "WebhookDisabled",
    "WebhookUrlRefused",
    "attempts_of",
    "choose",
    "create",
    "depths",
    "due",
    "find",
    "find_delivery",
    "forget",
    "give_up_behind",
    "may_be_reached",
    "page",
    "page_deliveries",
    "ping",
    "read_target",
    "record",
    "remove",
    "replay",
    "replay_failed",
    "rotate",
    "secret_of",
    "switch",
    "waiting",
]
