"""One function a record, with what a test does not care about filled in."""

import itertools
import json
import os
from datetime import UTC, datetime, timedelta

from domain import keys, users
from domain.apps import Terms
from domain.ids import derived_id, uuid7
from domain.jobs import Claim, NewJob
from domain.ledger import Batch, operation_posting, post, transfer_posting
from domain.ledger.postings import Origin
from domain.ledger.writes import POST_OPERATION
from domain.workers import Presence

# Noon: an hour more or less is the same UTC day.
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SHARED = {
    "DAILY_REWARD": Terms(1),
    "SIGNUP_CREDIT": Terms(3),
    "CREDIT_SPEND": Terms(-1),
    "CREDIT_ADD": Terms(10),
}

_numbers = itertools.count(1)
# Beyond those of any deployment, within a smallint.
_lanes = itertools.cycle(range(1_000, 32_000))


def make_owner(name="owner"):
    """Return a name no other test has, in this process or another."""
    return f"{name}-{os.getpid()}-{next(_numbers)}"


def make_lane():
    """Return a lane no other test has; system accounts of a lane are its own."""
    return next(_lanes)


def make_origin(**fields):
    return Origin(
        **{
            "application": "commons",
            "principal": uuid7(),
            "job_id": uuid7(),
            "lane": make_lane(),
            "accepted_at": NOW,
            **fields,
        }
    )


def make_operation(origin=None, **fields):
    return operation_posting(
        origin or make_origin(),
        **{"operation": "CREDIT_ADD", "nonce": str(uuid7()), **fields},
    )


def make_transfer(origin=None, **fields):
    return transfer_posting(
        origin or make_origin(), **{"amount": 1, "nonce": str(uuid7()), **fields}
    )


def post_one(session, posting, *, now=NOW):
    """Post one and return its decision."""
    return post(session, [Batch([posting])], now=now)[0][0]


def fund(session, owner, *, times=1, origin=None, now=NOW):
    """Give an owner ten credits, so many times."""
    origin = origin or make_origin()
    postings = [make_operation(origin, owner=owner) for _ in range(times)]
    return post(session, [Batch(postings)], now=now)[0]


def make_claim(kind=POST_OPERATION, payload=None, **fields):
    return Claim(
        **{
            "id": uuid7(),
            "kind": kind,
            "application": "commons",
            "principal": uuid7(),
            "payload": payload or {},
            "attempts": 0,
            "submitted_at": NOW,
            "request_id": None,
            "trace": None,
            **fields,
        }
    )


def make_job(**fields):
    return NewJob(
        **{
            "id": uuid7(),
            "kind": POST_OPERATION,
            "queue": "ledger",
            "lane": make_lane(),
            "payload": "{}",
            "submitted_at": NOW,
            "deadline": fields.get("submitted_at", NOW) + timedelta(days=1),
            "application": "commons",
            "principal": uuid7(),
            **fields,
        }
    )


def make_write(operation="CREDIT_ADD", *, owner, lane, **fields):
    """Return the job of one ledger write, as the API would submit it."""
    nonce = str(uuid7())
    return make_job(
        payload=json.dumps({"owner_id": owner, "operation": operation, "nonce": nonce}),
        lane=lane,
        idempotency=derived_id(nonce),
        digest=derived_id(operation, owner, nonce),
        **fields,
    )


def make_presence(**fields):
    return Presence(
        **{
            "id": uuid7(),
            "name": make_owner("worker"),
            "worker_group": "ledger",
            "host": "here",
            "pid": 7,
            "slots": 1,
            "busy": 0,
            "started_at": NOW,
            **fields,
        }
    )


def make_key(session, **fields):
    return keys.create(
        session,
        **{
            "application": "commons",
            "scopes": ["ledger:read"],
            "now": NOW,
            **fields,
        },
    )


def make_username():
    """Return a username no other test has, in this process or another."""
    return f"user.{os.getpid()}.{next(_numbers)}"


def make_user(session, **fields):
    return users.create(session, **{"username": make_username(), "now": NOW, **fields})
