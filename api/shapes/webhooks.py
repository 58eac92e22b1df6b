"""What is answered about webhooks: endpoints, and what they were sent."""

from api.shapes.members import (
    AN_ID,
    Shape,
    identity,
    mapping,
    moment,
    several,
    text,
    truth,
    whole,
    words,
)


class Webhook(Shape):
    """Where an application is told of events; its secret is not shown."""

    id = identity()
    application = text("commons")
    url = text("https://example.org/hook")
    description = text("the shop")
    events = words("transfer.posted")
    enabled = truth(example=True)
    disabled_at = moment(None, null=True)
    disabled_because = text(
        None, null=True, about="`asked`, `gone`, `failing`, `behind` or `removed`."
    )
    failing_since = moment(None, null=True)
    old_secret_until = moment(
        None, null=True, about="Until then the secret before signs, too."
    )
    created_at = moment()


class NewWebhook(Webhook):
    """A webhook with its secret, shown this once."""

    secret = text("whsec_…")


class Delivery(Shape):
    """One event for one webhook, and what has become of it."""

    id = identity(about="Without hyphens and after `msg_`, it is the `webhook-id`.")
    webhook_id = identity()
    type = text("transfer.posted")
    at = moment()
    data = mapping({"transfer_id": AN_ID, "job_id": AN_ID})
    state = text("delivered")
    attempts = whole(1)
    next_attempt_at = moment(None, null=True)
    request_id = text("order-17", null=True)


class Attempt(Shape):
    """What was answered, or why nobody did."""

    number = whole(1)
    at = moment()
    ms = whole(31)
    status = whole(204, null=True)
    error = text(None, null=True)
    body = text("", null=True, about="The first kilobyte.")


class Logged(Delivery):
    """A delivery with each attempt."""

    log = several(Attempt)


class Replayed(Shape):
    """How many deliveries are sent again."""

    replayed = whole(3)
