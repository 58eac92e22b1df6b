"""What is answered to those who run it: keys, audit events, the blocklist, checks."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import fields

from api.shapes.members import (
    A_PERSON,
    Shape,
    identity,
    mapping,
    moment,
    nested,
    text,
    truth,
    whole,
    words,
)


class ApiKey(Shape):
    """An API key without its secret."""

    id = text("4fJ2aZ9xQw1B")
    name = text("the shop's till")
    application = text("commons")
    scopes = words("ledger:read")
    created_at = moment()
    expires_at = moment("2027-11-20T21:50:00+00:00", null=True)
    revoked_at = moment(None, null=True)
    last_used_at = moment(None, null=True)


class NewApiKey(ApiKey):
    """An API key, shown this once."""

    key = text("pc_4fJ2aZ9xQw1B_…")


class AuditEvent(Shape):
    """Who did what to what."""

    id = whole(1)
    at = moment()
    action = text("key.created")
    application = text("commons", null=True)
    actor = identity(A_PERSON, null=True)
    subject = text("key:4fJ2aZ9xQw1B")
    details = mapping({"name": "the shop's till"})
    request_id = text("order-17", null=True)


class Block(Shape):
    """Who is blocked, why and until when: an address or a network, or a principal."""

    id = identity()
    address = text("203.0.113.0/24", null=True)
    principal = identity(None, null=True)
    reason = text("sends spam")
    actor = identity(A_PERSON, null=True)
    automatic = truth(example=False)
    standing = truth(example=True)
    created_at = moment()
    expires_at = moment("2026-11-20T22:50:00.123456+00:00")
    lifted_at = moment(None, null=True)
    lifted_by = identity(None, null=True)


class Lifted(Shape):
    """How many blocks were lifted."""

    lifted = whole(2)


class Health(Shape):
    """That the process answers."""

    status = text("ok")


class Checks(Shape):
    """What each part said."""

    database = text("ok")
    migrations = text("ok")
    operations = text("ok")
    broker = text("none")
    workers = text("ok")


class Readiness(Shape):
    """Whether a write would succeed now."""

    ready = truth(example=True)
    checks = nested(Checks)


METRICS: Final = (
    "# HELP coin_queue_depth_jobs Jobs that are not finished\n"
    "# TYPE coin_queue_depth_jobs gauge\n"
    'coin_queue_depth_jobs{queue="ledger",state="ready"} 0.0\n'
)


_EMPTY: Final[Mapping[str, Any]] = {"required": True, "metadata": {"examples": [[]]}}


class OpenApi(Shape):
    """This document (OpenAPI 3.1)."""

    openapi = text("3.1.0")
    info = mapping({"title": "The People's Coin", "version": "0.1.0"})
    servers = fields.List(fields.Dict(), **_EMPTY)
    tags = fields.List(fields.Dict(), **_EMPTY)
    paths = mapping({})
    components = mapping({})
