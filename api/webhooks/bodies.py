"""The shapes of what is sent about webhooks."""

from typing import Any, Final

from marshmallow import Schema, fields, validate

from api.bodies import Moment, example, printable, truth_value
from domain.webhooks import EVENTS, URL_LENGTH_MAX

DESCRIPTION_LENGTH_MAX: Final = 200


def _url(**options: Any) -> fields.String:
    # Where it may lead is a question of the deployment (domain/webhooks/targets.py).
    return fields.String(
        validate=validate.Length(1, URL_LENGTH_MAX),
        metadata=example("https://example.org/hook"),
        **options,
    )


def _events(**options: Any) -> fields.List[str]:
    return fields.List(
        fields.String(validate=validate.OneOf(EVENTS)),
        validate=validate.Length(1, len(EVENTS)),
        metadata=example(["transfer.posted"]),
        **options,
    )


def _description(**options: Any) -> fields.String:
    return fields.String(
        validate=[validate.Length(max=DESCRIPTION_LENGTH_MAX), printable],
        metadata=example("the shop"),
        **options,
    )


class WebhookBody(Schema):
    """POST /api/webhooks."""

    application = fields.String(validate=validate.Length(1, 100))
    url = _url(required=True)
    events = _events(required=True)
    description = _description(load_default="")


class WebhookChange(Schema):
    """PATCH /api/webhooks/{id}."""

    url = _url()
    events = _events()
    description = _description()
    enabled = fields.Raw(validate=truth_value, metadata=example(True))


class ReplayBody(Schema):
    """POST /api/webhooks/{id}/replay."""

    since = Moment(required=True, metadata=example("2026-11-20T21:50:00Z"))
